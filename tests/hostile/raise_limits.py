# Tries to take its limits off.
import resource

for name in ("RLIMIT_AS", "RLIMIT_CPU", "RLIMIT_NPROC", "RLIMIT_FSIZE"):
    try:
        resource.setrlimit(getattr(resource, name), (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        raise SystemError("leaked a way to lift " + name)
    except (OSError, ValueError):
        pass


def f(x):
    return 0
