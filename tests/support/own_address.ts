// SPDX-License-Identifier: GPL-2.0-or-later
import { networkInterfaces } from "node:os";

/** An address of this machine's own that is not loopback; what is sent to it stays on the machine. Null: there is none. */
export function ownAddress(family: "IPv4" | "IPv6"): string | null {
  const all = Object.values(networkInterfaces()).flatMap((one) => one ?? []);
  const found = all.find((one) =>
    one.family === family && !one.internal && !/^(fe80|169\.254)/i.test(one.address)
  );
  return found?.address ?? null;
}
