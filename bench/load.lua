-- What wrk sends, and what it says at the end: `wrk ... -- VERB BODY TOKEN [body|token FILE]`.
-- With a file, each request takes the next of its lines as its body or its token.

local requests, turn = {}, 0

local function fields(token)
  return { ["Content-Type"] = "application/json", ["Authorization"] = token ~= "" and "Bearer " .. token or nil }
end

function init(args)
  local verb, body, token, kind, file = args[1], args[2], args[3], args[4], args[5]
  wrk.method, wrk.body = verb, body ~= "" and body or nil
  for name, value in pairs(fields(token)) do wrk.headers[name] = value end
  if not file then return end
  for line in io.lines(file) do
    local headers = fields(kind == "token" and line or token)
    headers["Host"] = wrk.headers["Host"]
    requests[#requests + 1] = wrk.format(verb, nil, headers, kind == "body" and line or wrk.body)
  end
  request = function()
    turn = turn % #requests + 1
    return requests[turn]
  end
end

function done(summary)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format('\n{"requests": %d, "seconds": %f, "failed": %d}\n',
    summary.requests, summary.duration / 1e6, failed))
end
