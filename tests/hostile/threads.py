# Tries to change its answer from another thread while it is being read.
import threading

box = [0]


def change():
    while True:
        box[0] = (box[0] or 1) * -1


threading.Thread(target=change, daemon=True).start()


def f(x):
    return box
