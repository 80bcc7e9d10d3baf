# Tries to stretch its time by saying a byte now and then.
import os
import time

while True:
    for fd in range(3, 16):
        try:
            os.write(fd, b" ")
        except OSError:
            pass
    time.sleep(0.05)
