"""Settings files that are refused: the text, and the key that the refusal names."""

from __future__ import annotations

BROKEN = {
    "an unknown table": ("[sever]\nport = 1", "sever"), "an unknown key": ("[server]\nprot = 1", "server.prot"), "a wrong type": ("[server]\nport = 'canary'", "server.port"),
    "out of range": ("[server]\nport = 70000", "server.port"), "a wrong choice": ("[security]\npreset = 'canary'", "security.preset"), "not TOML": ("[server\ncanary", "visado.toml"),
    "a key twice": ("[server]\nport = 1\nport = 2", "visado.toml"), "alg none": ("[security.token]\nalgorithm = 'none'", "security.token.algorithm"),
    "a mixed list": ("[security.token]\nalgorithm = ['HS256', 'RS256']", "security.token.algorithm"), "a short secret": ("[security.token]\nsecrets = ['canary']", "security.token.secrets"),
    "a secret that is no list": ("[security.token]\nsecrets = 'canary-canary-canary-canary-canary-canary'", "security.token.secrets"), "a lifetime": ("[security.token]\nexpires_in = 'canary'", "security.token.expires_in"),
    "a negative grace": ("[security.token]\ngrace_period = -1", "security.token.grace_period"), "every origin": ("[http]\ncookie_origins = ['*']", "http.cookie_origins"), "a list": ("[http]\nallow_origins = 'canary'", "http.allow_origins"),
    "a url": ("[server]\npublic_url = 'canary.example'", "server.public_url"), "a table for a value": ("[server.port]\na = 1", "server.port"), "a value for a table": ("limits = 'canary'", "limits"),
    "a plugin's": ("[local]\nmemory = 1", "local.memory"), "a plugin's unknown key": ("[local]\ncanary = 1", "local.canary"), "a policy": ("[[local.password_policies]]\napplies_to = 'canary'", "local.password_policies"),
    "not UTF-8": (b"[server]\nhost = '\xff'", "visado.toml"), "a limit of none": ("[limits]\nrequest_size = 0", "limits.request_size"), "resources": ("[rights.resources]\nshop = 'buy'", "rights.resources.shop"),
    "a chain of nobody": ("[chain.all]\nstrategies = ['gone']", "chain.all"),
    "a member of a strategy's accounts": ("[accounts.saml]\nauto_creat = true", "accounts.saml.auto_creat"), "accounts that are no table": ("[accounts]\nauto_create = true", "accounts.auto_create"),
    "accounts with the profiles of nobody": ("[accounts.saml]\nprofiles = []", "accounts.saml.profiles"), "an impersonation": ("[security]\nimpersonation = 'canary'", "security.impersonation"),
}  # fmt: skip
