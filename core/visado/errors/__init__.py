"""Every error that a client can receive, such as `errors.UserNotFound(user="x")`.

Owns ids, codes, statuses and messages. Does not own where errors are raised. A plugin declares its errors as subclasses
of `BadRequest`, `NotFound` and the other parents, with ids that begin with the plugin's name.
"""

from visado.errors.api import *
from visado.errors.base import *
from visado.errors.network import *
from visado.errors.plugin import *
from visado.errors.security import *
from visado.errors.services import *
