"""An nginx whose metrics are to be what its clients have counted."""

import os
import re
import shutil
import urllib.request

from benches.nginx import free_port

from .nginx import REALM, Nginx, bcrypt
from .token import Maker

# People sign in on the page, those with an even number are in the group sre. Each machine's first Basic request is
# the one that is checked: there are enough of them for a run.
PEOPLE, MACHINES = 40, 40_000


class MeteredNginx(Nginx):
    main = ""  # without worker_shutdown_timeout a reload waits for all requests
    machines = MACHINES
    # Where one port's connections go to each worker's own queue, a reload loses some: nginx alone, too.
    listen = "reuseport"
    realm = "limit retries=5 find=1h ban=10h user_retries=100000; zone 64m;"

    def write_files(self):
        self.tokens = Maker(REALM)
        self.metrics_port = free_port()
        hashed = bcrypt(self.cost)
        people = (f"person{n}:{hashed}:groups={'dev' if n % 2 else 'sre'}\n" for n in range(PEOPLE))
        machines = (f"machine{n}:{hashed}\n" for n in range(self.machines))
        (self.dir / "users").write_text("".join([*people, *machines]))
        (self.dir / "keys").write_text(self.tokens.keys_file())
        (self.dir / "keys").chmod(0o600)
        (self.dir / "state").mkdir()
        if os.geteuid() == 0:
            shutil.chown(self.dir / "state", "nobody", "nogroup")

    def http(self, generation):
        return f"""
    authgate_realm {REALM} {{
        users {self.dir}/users;
        keys {self.dir}/keys;
        state {self.dir}/state;
        accept cookie bearer basic;
        basic_cache 10h;
        session idle=10h max=12h;
        {self.realm}
    }}
    server {{
        listen 127.0.0.1:{self.port} {self.listen};
        root {self.dir}/html;
        set_real_ip_from 127.0.0.1;
        real_ip_header X-Real-IP;
        authgate {REALM};
        add_header X-Gate $authgate_status always;
        location /sre {{ authgate_require group=sre; try_files /file =404; }}
        location /open {{ authgate off; try_files /file =404; }}
        location /optional {{ authgate {REALM} optional; try_files /file =404; }}
        location /dry-run {{ authgate_dry_run on; try_files /file =404; }}
        location /again {{ error_page 404 = /file; try_files /nowhere =404; }}
        location /verify {{ authgate_verify {REALM}; }}
        location /by-request {{ authgate off; auth_request /verify; try_files /file =404; }}
    }}
    server {{
        listen 127.0.0.1:{self.metrics_port};
        location / {{ authgate_metrics; }}
    }}"""

    def counted(self):
        """All counters of the realm that say what clients did."""
        address = f"http://127.0.0.1:{self.metrics_port}/"
        with urllib.request.urlopen(address, timeout=60) as answer:
            text = answer.read().decode()
        families = {
            "authgate_verdicts_total": "verdicts", "authgate_logins_total": "logins",
            "authgate_logouts_total": "logouts", "authgate_password_check_duration_seconds_count": "checks",
        }
        found = {}
        for name, labels, value in re.findall(r"^(\w+)\{(.*)\} (\d+)$", text, re.M):
            if name in families:
                words = [word for label, word in re.findall(r'(\w+)="([^"]*)"', labels) if label != "realm"]
                found[" ".join([families[name], *words])] = int(value)
        return found
