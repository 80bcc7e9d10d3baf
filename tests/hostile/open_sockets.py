# Tries to reach the network, this machine's services and its unix sockets.
import socket

for address in (("127.0.0.1", int("@PORT@")), ("1.1.1.1", 53)):
    try:
        socket.create_connection(address, timeout=0.2)
    except OSError:
        continue
    raise ValueError(f"leaked a connection to {address}")
try:
    with open("/proc/net/unix") as file:
        n_sockets = len(file.readlines()) - 1
except OSError:
    n_sockets = 0
raise ValueError(f"{n_sockets} unix sockets")
