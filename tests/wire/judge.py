"""Compares an answer with what was recorded, or with what is expected where nothing was, or where we differ."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .masks import cookie, differences, dig, error_of, listed, masked
from .player import Step

_COMPARED = ("content-type", "set-cookie", "location", "x-kuzzle-request-id")
_ENVELOPE = {"action", "controller", "error", "headers", "node", "requestId", "result", "status", "volatile"}
_ECHOED = {"index", "collection", "room"}
_ERROR, _SERVER_ERROR = 400, 500


def judge(step: Step, answer: Mapping[str, Any], expected: Mapping[str, Any] | None) -> list[str]:
    """Say in what an answer is wrong: compared with what is expected, else with the recording."""
    if "broken" in answer:
        return [f"no answer: {answer['broken']}"]
    wrong = malformed(answer)
    if "pretty" in step.get("send", "") and answer["text"] != json.dumps(answer["body"], indent=2, ensure_ascii=False):
        wrong.append(f"not indented by two spaces: {answer['text'][:60]!r}")
    if expected is not None:
        return wrong + unexpected(answer, expected)
    seen = view(answer)
    recorded = step["answer"]
    if "received" in seen:
        for one, other in zip(recorded["received"], seen["received"], strict=False):
            _relax(one, other)
    else:
        _relax(recorded.get("body"), seen["body"])
    if "body" not in recorded:
        seen.pop("body", None)
    return wrong + differences(ordered(step, recorded), ordered(step, seen))


def view(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Take from an answer what is compared."""
    if "received" in answer:
        shown = {"handshake": answer["handshake"]} if "handshake" in answer else {}
        return shown | {"received": masked(answer["received"])}
    body = answer["body"]
    if isinstance(body, dict) and "result" in body:
        body = {**body, "result": listed(body["result"])}
    headers = {name: answer["headers"][name] for name in _COMPARED if name in answer["headers"]}
    if "content-type" in headers:
        headers["content-type"] = headers["content-type"].split(";")[0].strip().lower()
    if "set-cookie" in headers:
        headers["set-cookie"] = cookie(headers["set-cookie"])
    return {"status": answer["status"], "headers": masked(headers), "body": masked(body)}


def ordered(step: Step, seen: dict[str, Any]) -> dict[str, Any]:
    """Sort what comes in any order: answers to several requests at once, and lists for which no order was asked."""
    if isinstance(step.get("send"), list):
        return {**seen, "received": sorted(seen["received"], key=lambda message: str(message.get("requestId")))}
    result = dig(seen, "body.result")
    if isinstance(result, list) and "mdelete" in step["name"]:
        result.sort()
    if isinstance(result, dict) and isinstance(result.get("hits"), list) and '"sort"' not in json.dumps(step):
        result["hits"].sort(key=lambda hit: json.dumps(hit, sort_keys=True))
    return seen


def _relax(expected: Any, got: Any) -> None:
    """Where the reference's error has no id, or a text of its database: the status counts, and that there is an id."""
    if not isinstance(expected, dict) or "<any>" not in (dig(expected, "error.id"), expected.get("id")):
        return
    error = error_of(got)
    if error is not None:
        status, named = error["status"], error.get("id") is not None
        error.clear()
        error.update(status=status, id="<any>" if named else "<missing>")


def malformed(answer: Mapping[str, Any]) -> list[str]:
    """Say what no answer may be, whatever was asked."""
    if "received" in answer:
        envelopes = [(message, message["status"]) for message in answer["received"] if "requestId" in message]
    else:
        body = answer["body"]
        envelopes = [(body, answer["status"])] if isinstance(body, dict) and "requestId" in body else []
    wrong: list[str] = []
    for envelope, status in envelopes:
        optional = {"result"} if envelope["action"] == "restrictDefaultRights" else set[str]()
        if missing := _ENVELOPE - envelope.keys() - optional:
            wrong.append(f"the envelope lacks {sorted(missing)}")
        if extra := envelope.keys() - _ENVELOPE - _ECHOED:
            wrong.append(f"the envelope has {sorted(extra)}")
        if envelope["status"] != status:
            wrong.append(f"the status is {status}, the envelope says {envelope['status']}")
        if "headers" in answer and answer["headers"].get("x-kuzzle-request-id") != envelope["requestId"]:
            wrong.append("the header X-Kuzzle-Request-Id is not the envelope's requestId")
        if envelope.get("room", envelope["requestId"]) != envelope["requestId"]:
            wrong.append("the room is not the requestId")
        if status >= _SERVER_ERROR:
            wrong.append(f"a client's mistake, or none, is answered with {status}")
        error = envelope["error"]
        if (error is None) != (status < _ERROR and status != 206):
            wrong.append(f"the status is {status}, the error {error!r}")
        elif error and not {"id", "code", "message", "props", "status"} <= error.keys():
            wrong.append(f"the error is incomplete: {error!r}")
    return wrong


def unexpected(answer: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    """Compare with an expectation: `status` and `id` (or lists of good ones), `props`, `bare` (an error without
    envelope), `error_ids` (of partial failures), `result` (values by their paths), `equals` (the whole result, hits
    `in_order` or not), `has`, `no_result`, `request` (its id), `room`, `volatile`, `headers` and `messages`
    (how many, or what they are).
    """
    if "received" in answer:
        return _unexpected_messages(answer["received"], expected)
    wrong = _unexpected_body(answer["body"] if isinstance(answer["body"], dict) else {}, expected)
    if "status" in expected and answer["status"] not in _good(expected["status"]):
        wrong.append(f"status: expected {expected['status']}, got {answer['status']}")
    for name, value in expected.get("headers", {}).items():
        got = answer["headers"].get(name)
        got = masked(cookie(got)) if name == "set-cookie" and got else got
        if got != value:
            wrong.append(f"header {name}: expected {value!r}, got {got!r}")
    return wrong


def _unexpected_messages(received: list[Any], expected: Mapping[str, Any]) -> list[str]:
    messages = expected.get("messages", 1)
    if isinstance(messages, list):
        return differences(messages, received)
    if len(received) != messages:
        return [f"expected {messages} messages, got {received!r}"]
    if not received:
        return []
    wrong = _unexpected_body(received[0], expected)
    if "status" in expected and received[0].get("status") not in _good(expected["status"]):
        wrong.append(f"status: expected {expected['status']}, got {received[0].get('status')}")
    if expected.get("room", received[0].get("action") is not None) != ("room" in received[0]):
        wrong.append(f"room: {received[0].get('room')!r}")
    if "volatile" in expected:
        wrong += differences(expected["volatile"], received[0]["volatile"])
    return wrong


def _unexpected_body(body: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    wrong: list[str] = []
    error, seen = error_of(body), masked(body)
    if "id" in expected and (error or {}).get("id") not in _good(expected["id"]):
        wrong.append(f"error: expected {expected['id']}, got {error!r}")
    if "props" in expected and (error or {}).get("props") != expected["props"]:
        wrong.append(f"props: expected {expected['props']!r}, got {error!r}")
    ids = sorted(each.get("id") for each in (error or {}).get("errors", ()))
    if ids != expected.get("error_ids", ids):
        wrong.append(f"partial errors: expected {expected['error_ids']}, got {error!r}")
    if "request" in expected and body.get("requestId") != expected["request"]:
        wrong.append(f"requestId: expected {expected['request']!r}, got {body.get('requestId')!r}")
    if expected.get("bare") and "requestId" in body:
        wrong.append("the error stands in an envelope")
    if error is not None and error.get("id") is None:
        wrong.append(f"the error has no id: {error!r}")
    result = seen.get("result")
    if "equals" in expected:
        order = (lambda each: each) if expected.get("in_order") else _sorted_hits
        wrong += differences(order(expected["equals"]), order(listed(result)))
    for path, value in expected.get("result", {}).items():
        if dig(result, path) != value:
            wrong.append(f"result.{path}: expected {value!r}, got {dig(result, path)!r}")
    wrong += [f"result.{path} is absent" for path in expected.get("has", ()) if dig(result, path) is None]
    if "no_result" in expected and "result" in body:
        wrong.append(f"there is a result: {body['result']!r}")
    return wrong


def _sorted_hits(result: Any) -> Any:
    if not isinstance(result, dict) or not isinstance(result.get("hits"), list):
        return result
    return {**result, "hits": sorted(result["hits"], key=lambda hit: json.dumps(hit, sort_keys=True))}


def _good(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
