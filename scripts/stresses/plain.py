"""An nginx without the module, for comparison."""

from .metered import MeteredNginx
from .nginx import Nginx


class PlainNginx(Nginx):
    """For the probe."""

    with_module = False

    def http(self, generation):
        return f"""
    server {{
        listen 127.0.0.1:{self.port};
        root {self.dir}/html;
    }}"""


class UngatedNginx(MeteredNginx):
    """Its locations are those of the gated one."""

    with_module = False

    def http(self, generation):
        return f"""
    server {{
        listen 127.0.0.1:{self.port} {self.listen};
        root {self.dir}/html;
        set_real_ip_from 127.0.0.1;
        real_ip_header X-Real-IP;
        location /sre {{ try_files /file =404; }}
        location /open {{ try_files /file =404; }}
        location /optional {{ try_files /file =404; }}
        location /dry-run {{ try_files /file =404; }}
        location /again {{ error_page 404 = /file; try_files /nowhere =404; }}
        location /verify {{ return 204; }}
        location /by-request {{ auth_request /verify; try_files /file =404; }}
    }}"""
