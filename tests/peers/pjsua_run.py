# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs one of pjproject's system tests, where it lies, beside others of them and on any Python 3.

usage: pjsua_run.py FOLDER PORT PROGRAM MODULE SCRIPT

FOLDER is tests/pjsua of pjproject's source tree. Its registrar and its SIPp listen on PORT instead of 50070; ports that
it would draw by lot are the free ones behind it; PROGRAM may take its time to start; its messages end their lines with CR
LF and are as long as they say, which the texts of the scripts are not once Python has read them; nothing is written beside
its files. The current folder gets SIPp's output in logs/.
"""
import os
import random
import re
import socket
import sys
import types
from importlib.machinery import SourceFileLoader

folder, port, program, module, script = sys.argv[1:]


last_port = int(port)


def free_port(*_):
    """The next port behind PORT that is free for TCP and UDP on all interfaces."""
    global last_port
    while True:
        last_port += 1
        with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind(("", last_port))
                udp.bind(("", last_port))
            except OSError:
                continue
            return last_port


class Telnet:
    """What the tests use of telnetlib, which Python 3.13 has no more."""

    def __init__(self, host, port, timeout):
        self.socket = socket.create_connection((host, port), timeout)
        self.pending = b""

    def read_until(self, expected, timeout):
        self.socket.settimeout(timeout)
        while expected not in self.pending:
            try:
                data = self.socket.recv(65536)
            except OSError:
                data = b""
            if not data:
                rest, self.pending = self.pending, b""
                return rest
            self.pending += data
        line, _, self.pending = self.pending.partition(expected)
        return line + expected

    def write(self, data):
        self.socket.sendall(data)

    def close(self):
        self.socket.close()


sys.modules["telnetlib"] = types.ModuleType("telnetlib")
sys.modules["telnetlib"].Telnet = Telnet
sys.dont_write_bytecode = True
random.randint = free_port
get_data = SourceFileLoader.get_data
SourceFileLoader.get_data = lambda self, path: get_data(self, path).replace(b"50070", port.encode())
os.makedirs("logs", exist_ok=True)
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # SIPp takes what it reads for commands
sys.path.insert(0, folder)

import inc_sip  # noqa: E402: it lies in FOLDER

send_msg = inc_sip.Dialog.send_msg


def send_whole(self, message, to=None):
    """A message without a body stays as it is: one script is about that."""
    head, blank, body = re.sub("\r?\n", "\r\n", message).partition("\r\n\r\n")
    if body:
        head = re.sub(r"^(Content-Length\s*:).*$", r"\1 %d\r" % len(body.encode()), head, flags=re.I | re.M)
    send_msg(self, head + blank + body, to)


inc_sip.Dialog.send_msg = send_whole
wait_msg_from = inc_sip.Dialog.wait_msg_from
# A script would not survive the second for which it waits for the first answer; a busy machine may need it.
inc_sip.Dialog.wait_msg_from = lambda self, timeout: wait_msg_from(self, max(timeout, 20))
run = os.path.join(folder, "run.py")
sys.argv = [run, "-n", "-e", program, os.path.join(folder, module), os.path.join(folder, script)]
with open(run, encoding="utf-8") as file:
    text = file.read().replace("dur > 5", "dur > 30")
exec(compile(text, run, "exec"), {"__name__": "__main__", "__file__": run})
