"""nginx and Apache."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from daemons.daemon import Daemon

_MODULES = Path("/usr/lib/apache2/modules")


class Nginx(Daemon):
    """nginx, master and workers as www-data. Its reload is the unit's own command, which tries the configuration."""

    header, language, unit, user, tls_port = "nginx", "nginx", "nginx", "www-data", 443

    def configuration(self) -> str:
        """The blocks around a server; its scratch directories."""
        paths = "".join(f"{kind}_temp_path {kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        head = "daemon off;\npid nginx.pid;\nerror_log stderr notice;\nevents {}\n"
        return f"{head}http {{\naccess_log off;\n{paths}{self.recipe.lines}}}\n"

    def program(self) -> Sequence[str | Path]:
        """In the foreground, by its configuration."""
        return ["nginx", "-e", "stderr", "-p", self.directory, "-c", self.file]

    @property
    def reload(self) -> str:
        """As in the unit."""
        return f"nginx -e stderr -p {self.directory} -c {self.file} -s reload"


class Apache(Daemon):
    """Apache with the modules that TLS needs, all of it as www-data."""

    header, language, unit, user, tls_port = "Apache", "apache", "apache2", "www-data", 443
    reload_signal = "USR1"

    def configuration(self) -> str:
        """Modules, files, and the port."""
        modules = "".join(
            f"LoadModule {name}_module {_MODULES}/mod_{name}.so\n"
            for name in ("mpm_event", "authz_core", "socache_shmcb", "ssl")
        )
        head = f"ServerRoot {self.directory}\nDefaultRuntimeDir {self.directory}\nPidFile apache.pid\n"
        return f"{head}ServerName localhost\nErrorLog /dev/stderr\n{modules}Listen 443\n{self.recipe.lines}"

    def program(self) -> Sequence[str | Path]:
        """In the foreground, by its configuration."""
        return ["apache2", "-D", "FOREGROUND", "-f", self.file]
