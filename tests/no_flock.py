"""A shared folder without flock, as on Lustre without `-o flock`, for programs that tests start."""

# Put before a program's own code, or into its sitecustomize.py: no file of the folder that the
# variable SHARED names can be locked.
NO_FLOCK = """
import errno, fcntl, os

real = fcntl.flock

def flock(handle, kind):
    if os.readlink(f"/proc/self/fd/{handle}").startswith(os.environ["SHARED"]):
        raise OSError(errno.ENOSYS, "Function not implemented")
    real(handle, kind)

fcntl.flock = flock
"""
