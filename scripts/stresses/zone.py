"""I112: more sessions end than the realm's memory lists."""

from .nginx import Nginx
from .sessions import Sessions


class FullZone(Sessions):
    name = "zone-full"
    about = "more sessions end than the realm's memory lists: it becomes coarser, and takes none that has ended"
    seconds, quick = 30, 7
    logouts_per_second = 250

    def make_nginx(self):
        nginx = Nginx()
        nginx.zone_size = 64
        nginx.zone_unit = "k"
        return nginx

    def disturb(self):
        self.disturber.kinds = {"reloads": self.disturber.reload, "workers killed": self.disturber.kill_worker}
        self.truth.may_be_coarse = self.is_coarse
        super().disturb()

    def is_coarse(self):
        """Others near their end may be ended with those that are listed."""
        try:
            return self.nginx.status()["ended"]["coarsened"] > 0
        except OSError:
            return self.is_coarse()  # a worker was killed
