# Tries to take the machine by threads.
import threading
import time


def sleep():
    time.sleep(60)


for _ in range(100_000):
    threading.Thread(target=sleep, daemon=True).start()


def f(x):
    return 0
