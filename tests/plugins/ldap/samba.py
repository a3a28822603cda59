"""A real Active Directory domain controller (samba) in a folder of its own, with only its LDAP service."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from pathlib import Path

from tests.waiting import listens, until

from . import slapd

BASE = "DC=ad,DC=example,DC=org"
USERS = f"CN=Users,{BASE}"
SERVICE, SERVICE_PASSWORD = f"CN=visado,{USERS}", "Service-pw.of.visado1"
MEMBERS = 2_000
SYSTEM_PYTHON = "/usr/bin/python3"  # Debian's Python, which has samba's modules

OPTIONS = """\
tls certfile = {tls}/{name}.pem
tls keyfile = {tls}/{name}.key
tls cafile = {tls}/ca.pem
pid directory = {folder}/run
ncalrpc dir = {folder}/run/ncalrpc
load printers = no
disable netbios = yes
server role check:inhibit = yes
"""

DATA = """
import sys
from samba import ldb
from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB

lp = LoadParm()
lp.load(sys.argv[1])
db = SamDB(session_info=system_session(), lp=lp)
base = db.domain_dn()
users = "CN=Users," + base


def change(dn, **values):
    message = ldb.Message(ldb.Dn(db, dn))
    for name, value in values.items():
        message[name] = ldb.MessageElement(value, ldb.FLAG_MOD_REPLACE, name)
    db.modify(message)


def group(name, *members):
    db.add({"dn": "CN=%s,%s" % (name, users), "objectClass": "group", "sAMAccountName": name})
    if members:
        message = ldb.Message(ldb.Dn(db, "CN=%s,%s" % (name, users)))
        message["member"] = ldb.MessageElement(list(members), ldb.FLAG_MOD_ADD, "member")
        db.modify(message)


db.transaction_start()
change(base, maxPwdAge="-1728000000000", minPwdAge="0", lockoutThreshold="3", pwdHistoryLength="0")
names = ["visado", "ann", "bob", "locked", "disabled", "expired", "outdated", "fresh", "primary", "mover"]
for name in names:
    password = "Service-pw.of.visado1" if name == "visado" else "Passw0rd-of-" + name
    db.newuser(name, password, force_password_change_at_next_login_req=name == "fresh")
    dn = "CN=%s,%s" % (name, users)
    change(dn, mail=name + "@mail.example.org", userPrincipalName=name + "@ad.example.org")
    if name not in ("outdated", "fresh"):
        change(dn, userAccountControl=str(0x10200))  # the password never expires
change("CN=disabled," + users, userAccountControl=str(0x10202))
change("CN=expired," + users, accountExpires=str(132_000_000_000_000_000))
group("staff", "CN=ann," + users)
group("all", "CN=staff," + users)
group("top", "CN=all," + users)
group("loop-a", "CN=bob," + users)
group("loop-b", "CN=loop-a," + users)
change("CN=loop-a," + users, member=["CN=bob," + users, "CN=loop-b," + users])
group("main", "CN=primary," + users)
group("above-main", "CN=main," + users)
db.add({"dn": "OU=crowd," + base, "objectClass": "organizationalUnit"})
crowd = ["CN=c%d,OU=crowd,%s" % (number, base) for number in range(int(sys.argv[2]))]
for dn in crowd:
    db.add({"dn": dn, "objectClass": "contact"})
group("crowd", "CN=ann," + users, *crowd[1:])
sid = db.search("CN=main," + users, scope=ldb.SCOPE_BASE, attrs=["objectSid"])[0]["objectSid"][0]
change("CN=primary," + users, primaryGroupID=str(int.from_bytes(sid[-4:], "little")))
db.transaction_commit()

raw = ldb.Ldb("tdb://" + lp.private_path("sam.ldb.d/" + base.upper() + ".ldb"))
old = ldb.Message(ldb.Dn(raw, "CN=outdated," + users))
old["pwdLastSet"] = ldb.MessageElement(str(132_000_000_000_000_000), ldb.FLAG_MOD_REPLACE, "pwdLastSet")
raw.modify(old)
"""


def missing():
    """Return the missing programs of samba."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    lacking = [name for name in ("samba", "samba-tool", "openssl") if shutil.which(name, path=path) is None]
    schema = Path("/usr/share/samba/setup/ad-schema")
    return lacking + ([] if lacking or schema.is_dir() else ["samba-ad-provision"])


def password_of(name):
    return f"Passw0rd-of-{name}"


class Samba:
    """The domain controller, on an address of the loopback network of its own: its ports are fixed."""

    def __init__(self, folder, tls):
        self.folder, self.tls = Path(folder), Path(tls)
        self.address = f"127.{secrets.randbelow(200) + 20}.{secrets.randbelow(250)}.{secrets.randbelow(250) + 2}"
        slapd.issue(self.tls, "samba", f"IP:{self.address}")
        self._process = None
        self._provision()

    @property
    def url(self):
        return f"ldaps://{self.address}"

    @property
    def config(self):
        return self.folder / "dc" / "etc" / "smb.conf"

    def _provision(self):
        options = {
            "vfs objects": "xattr_tdb",
            "xattr_tdb:file": self.folder / "xattr.tdb",
            "server services": "ldap",
            "interfaces": f"{self.address}/8",
            "bind interfaces only": "yes",
        }
        slapd.run(
            "samba-tool",
            "domain",
            "provision",
            "-s",
            "/dev/null",
            "--realm=AD.EXAMPLE.ORG",
            "--domain=ADEX",
            "--server-role=dc",
            "--dns-backend=NONE",
            "--adminpass=Adm1n-Pass.word",
            "--host-name=dc1",
            f"--targetdir={self.folder / 'dc'}",
            f"--host-ip={self.address}",
            *(f"--option={name}={value}" for name, value in options.items()),
        )
        (self.folder / "run" / "ncalrpc").mkdir(parents=True)
        ours = OPTIONS.format(tls=self.tls, folder=self.folder, name="samba")
        self.config.write_text(self.config.read_text().replace("[global]\n", f"[global]\n{ours}", 1))
        slapd.run(SYSTEM_PYTHON, "-c", DATA, str(self.config), str(MEMBERS))

    def start(self):
        with (self.folder / "log").open("a") as log:
            self._process = subprocess.Popen(
                ["/usr/sbin/samba", "-i", "-M", "single", "-s", self.config],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            )
        log = self.folder / "log"
        until(lambda: self._process.poll() is not None or listens(self.address, 636), seconds=60, why=log.read_text)
        assert self._process.poll() is None, log.read_text()
        return self

    def stop(self):
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process.stdin.close()

    def tool(self, *words):
        slapd.run("samba-tool", *words, "-s", self.config, "-H", self.folder / "dc" / "private" / "sam.ldb")
