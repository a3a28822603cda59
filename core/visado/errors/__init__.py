"""Every error of the host: `errors.UserNotFound(user="x")` says which, its class says the rest.

Owns ids, codes, statuses and messages. Does not own where they are raised. A plugin declares its own by
subclassing a parent of `visado.errors.base` with an id under the plugin's name.
"""

from visado.errors.api import *
from visado.errors.base import *
from visado.errors.network import *
from visado.errors.plugin import *
from visado.errors.security import *
from visado.errors.services import *
