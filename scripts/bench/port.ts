// SPDX-License-Identifier: GPL-2.0-or-later
import { createSocket } from "node:dgram";
import { createServer } from "node:net";

/** A port of the loopback interface that nobody uses at the moment, for UDP or for TCP. */
export async function freePort(): Promise<number> {
  for (;;) {
    const socket = createSocket("udp4");
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once("error", reject);
    socket.bind(0, "127.0.0.1", resolve);
    await promise;
    const { port } = socket.address();
    const isFree = await isFreeForTCP(port);
    await new Promise<void>((closed) => socket.close(closed));
    if (isFree) return port;
  }
}

async function isFreeForTCP(port: number): Promise<boolean> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<boolean>();
  server.once("error", () => resolve(false));
  server.listen(port, "127.0.0.1", () => resolve(true));
  const isFree = await promise;
  if (isFree) await new Promise<void>((closed) => server.close(() => closed()));
  return isFree;
}
