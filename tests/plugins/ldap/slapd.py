"""A real OpenLDAP server in a folder of its own, with TLS, memberOf and a data set."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import subprocess
from pathlib import Path
from urllib.parse import quote

from tests.ports import free_port
from tests.waiting import listens, until

SUFFIX = "dc=example,dc=org"
PEOPLE, GROUPS = f"ou=people,{SUFFIX}", f"ou=groups,{SUFFIX}"
ADMIN = f"cn=admin,{SUFFIX}"
SERVICE = f"cn=visado,{SUFFIX}"
ADMIN_PASSWORD, SERVICE_PASSWORD = "admin-pw-of-slapd", "service-pw-of-visado"
PROGRAMS = ("slapd", "slapadd", "ldapmodify", "openssl")
USERS = 60

CONFIG = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/nis.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
moduleload refint
moduleload ppolicy
pidfile {folder}/pid
allow bind_anon_cred bind_anon_dn
sizelimit 5000
threads 16
TLSCACertificateFile {tls}/ca.pem
TLSCertificateFile {tls}/{certificate}.pem
TLSCertificateKeyFile {tls}/{certificate}.key
database mdb
suffix "{suffix}"
rootdn "{admin}"
rootpw {admin_password}
directory {folder}/data
maxsize 104857600
dbnosync
index objectClass,uid,cn,mail,member,memberOf,memberUid,entryUUID eq
overlay memberof
memberof-refint TRUE
overlay refint
refint_attributes member
overlay ppolicy
ppolicy_default "cn=policy,{suffix}"
access to attrs=userPassword by self write by anonymous auth by * none
access to dn.base="" by * read
access to * by dn.base="{service}" read by self read by * none
"""


def missing():
    """The programs of slapd that are not installed."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
    return [name for name in PROGRAMS if shutil.which(name, path=path) is None]


def run(*command, text=None, **options):
    environment = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin", "LDAPNOINIT": "1"}
    done = subprocess.run(command, input=text, capture_output=True, text=True, env=environment, check=False, **options)
    assert done.returncode == 0, f"{command}: {done.stderr or done.stdout}"
    return done.stdout


KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def make_certificates(folder):
    """A CA, and certificates: `good`, `expired`, `wrong-name`, `self-signed`, `client`."""
    folder.mkdir(parents=True, exist_ok=True)
    ca = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign")
    sign_oneself(folder, "ca", "visado test CA", *ca)
    sign_oneself(folder, "self-signed", "127.0.0.1", "subjectAltName=IP:127.0.0.1")
    issue(folder, "good", "IP:127.0.0.1,DNS:localhost")
    issue(folder, "expired", "IP:127.0.0.1", days=-1)
    issue(folder, "wrong-name", "DNS:other.example.org")
    issue(folder, "client", "DNS:client.example.org")
    return folder


def sign_oneself(folder, name, subject, *extensions):
    """Make a self-signed certificate."""
    files = ("-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem")
    added = (word for each in extensions for word in ("-addext", each))
    run("openssl", "req", "-x509", *KEY, *files, "-days", "30", "-subj", f"/CN={subject}", *added)


def issue(folder, name, alternative, days=30):
    """A certificate of the CA in this folder."""
    request, extension = folder / f"{name}.csr", folder / f"{name}.ext"
    extension.write_text(f"subjectAltName={alternative}\n")
    run("openssl", "req", "-new", *KEY, "-keyout", folder / f"{name}.key", "-out", request, "-subj", f"/CN={name}")
    run(
        "openssl",
        "x509",
        "-req",
        "-in",
        request,
        "-CA",
        folder / "ca.pem",
        "-CAkey",
        folder / "ca.key",
        "-CAcreateserial",
        "-out",
        folder / f"{name}.pem",
        "-extfile",
        extension,
        "-days",
        str(days),
    )
    (folder / f"{name}.key").chmod(0o600)


def line(name, value):
    """Return an attribute line of LDIF, in base64 where the value needs it."""
    return f"{name}:: {base64.b64encode(value.encode()).decode()}\n"


def person(uid, password, dn=None, **attributes):
    names = {"cn": uid, "sn": uid, "mail": f"{uid}@example.org", **attributes}
    text = line("dn", dn or f"uid={uid},{PEOPLE}") + "objectClass: inetOrgPerson\n" + line("uid", uid)
    text += "".join(line(name, value) for name, value in names.items())
    return text + line("userPassword", password) + "\n"


def group(name, *members):
    text = f"dn: cn={name},{GROUPS}\nobjectClass: groupOfNames\ncn: {name}\n"
    return text + "".join(f"member: {member}\n" for member in members) + "\n"


def user_dn(number):
    return f"uid=user{number},{PEOPLE}"


def password_of(number):
    return f"secret-of-{number}-xyzzy"


def data():
    text = f"dn: {SUFFIX}\nobjectClass: domain\ndc: example\n\n"
    for unit in ("people", "groups", "elsewhere"):
        text += f"dn: ou={unit},{SUFFIX}\nobjectClass: organizationalUnit\nou: {unit}\n\n"
    text += f"dn: {SERVICE}\nobjectClass: person\ncn: visado\nsn: visado\nuserPassword: {SERVICE_PASSWORD}\n\n"
    text += f"dn: cn=policy,{SUFFIX}\nobjectClass: device\nobjectClass: pwdPolicy\ncn: policy\n"
    text += "pwdAttribute: userPassword\npwdMustChange: TRUE\npwdLockout: TRUE\n\n"
    text += "".join(person(f"user{number}", password_of(number), cn=f"User {number}") for number in range(USERS))
    text += person("melis", "password", displayName="Mélis Ä")
    text += person("pass", "pass")
    text += person("o'brien, (jr.) *\\", "odd name", dn=f"cn=odd,{PEOPLE}")
    text += person("twin", "twin-pw", dn=f"cn=twin one,{PEOPLE}")
    text += person("twin", "twin-pw", dn=f"cn=twin two,{PEOPLE}")
    return text


def groups():
    """`staff` holds user0; `all` holds `staff`; `top` holds `all`; `loop-a` and `loop-b` hold each other and user1."""
    deep = "".join(group(f"deep{level}", f"cn=deep{level - 1},{GROUPS}" if level else user_dn(3)) for level in range(9))
    return (
        group("staff", user_dn(0), user_dn(2))
        + group("all", f"cn=staff,{GROUPS}")
        + group("top", f"cn=all,{GROUPS}")
        + group("loop-a", user_dn(1), f"cn=loop-b,{GROUPS}")
        + group("loop-b", f"cn=loop-a,{GROUPS}")
        + f"dn: cn=posix,{GROUPS}\nobjectClass: posixGroup\ncn: posix\ngidNumber: 5000\nmemberUid: user4\n\n"
        + deep
    )


class Slapd:
    """The server; `log` is its log of connections, binds and searches."""

    def __init__(self, folder, tls, *, certificate="good", loud=True):
        self.folder, self.tls, self.loud = Path(folder), Path(tls), loud
        self.port, self.tls_port = free_port(), free_port()
        self.socket = self.folder / "ldapi"
        self._process = None
        (self.folder / "data").mkdir(parents=True, exist_ok=True)
        self.set_certificate(certificate)
        run("slapadd", "-q", "-f", self._config, "-l", "/dev/stdin", text=data())

    def set_certificate(self, name):
        self._config = self.folder / "slapd.conf"
        self._config.write_text(
            CONFIG.format(
                folder=self.folder,
                tls=self.tls,
                certificate=name,
                suffix=SUFFIX,
                admin=ADMIN,
                admin_password=ADMIN_PASSWORD,
                service=SERVICE,
            )
        )

    @property
    def url(self):
        return f"ldap://127.0.0.1:{self.port}"

    @property
    def tls_url(self):
        return f"ldaps://127.0.0.1:{self.tls_port}"

    @property
    def socket_url(self):
        return f"ldapi://{quote(str(self.socket), safe='')}"

    @property
    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def start(self):
        first = not (self.folder / "log").exists()
        urls = f"{self.url} {self.tls_url} {self.socket_url}"
        level = "stats" if self.loud else "none"
        with (self.folder / "log").open("a") as log:
            self._process = subprocess.Popen(
                ["/usr/sbin/slapd", "-d", level, "-f", self._config, "-h", urls], stdout=log, stderr=log
            )
        self._wait()
        if first:
            self.change(groups(), add=True)
        return self

    def _wait(self):
        until(lambda: self._process.poll() is not None or listens("127.0.0.1", self.port), why=lambda: self.log)
        assert self._process.poll() is None, f"slapd did not start: {self.log}"

    def stop(self):
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            process.wait(20)

    def freeze(self):
        """Accept connections without a response."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self._process.send_signal(signal.SIGCONT)

    def change(self, ldif, *, add=False):
        """Change entries, as the administrator."""
        command = ["ldapmodify", "-x", "-H", self.url, "-D", ADMIN, "-w", ADMIN_PASSWORD, *(["-a"] if add else [])]
        run(*command, text=ldif)

    def set(self, dn, attribute, *values):
        """Replace an attribute's values."""
        self.change(
            line("dn", dn)
            + f"changetype: modify\nreplace: {attribute}\n"
            + "".join(line(attribute, value) for value in values)
        )

    def delete(self, dn):
        self.change(line("dn", dn) + "changetype: delete\n")

    def rename(self, dn, rdn, parent=PEOPLE):
        self.change(line("dn", dn) + f"changetype: modrdn\nnewrdn: {rdn}\ndeleteoldrdn: 1\nnewsuperior: {parent}\n")
