// SPDX-License-Identifier: GPL-2.0-or-later
import { createSocket } from "node:dgram";

/** A UDP port of the loopback interface that nobody uses at the moment. */
export async function freePort(): Promise<number> {
  const socket = createSocket("udp4");
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once("error", reject);
  socket.bind(0, "127.0.0.1", resolve);
  await promise;
  const { port } = socket.address();
  await new Promise<void>((closed) => socket.close(closed));
  return port;
}
