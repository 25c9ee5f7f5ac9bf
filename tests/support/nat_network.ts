// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Two hosts behind a NAT each, and a server that both reach, in network namespaces of their own; nothing of it can be
 * seen from outside.
 *
 * ```text
 * a 10.77.1.2 ── NAT 10.77.11.2 ──┐
 *                                  ├── server 10.77.0.1
 * b 10.77.2.2 ── NAT 10.77.12.2 ──┘
 * ```
 */
import { spawnSync } from "node:child_process";
import process from "node:process";
import { inPath } from "../../scripts/build/debian.ts";

/**
 * "cone": what a host sends from one port comes from one port, wherever it goes to. "symmetric": from another one for
 * each that it goes to. Both let in only what answers.
 */
export type NatKind = "cone" | "symmetric";

export const natServer = "10.77.0.1";

const hosts = {
  a: { address: "10.77.1.2", inside: "10.77.1.1", outside: "10.77.11.2", gateway: "10.77.11.1" },
  b: { address: "10.77.2.2", inside: "10.77.2.1", outside: "10.77.12.2", gateway: "10.77.12.1" },
} as const;

/** Ends by `using`. */
export class NatNetwork implements Disposable {
  static #count = 0;
  readonly #prefix: string = `sct${process.pid}-${NatNetwork.#count++}`;
  readonly #names: readonly string[] = ["a", "b", "nat-a", "nat-b", "server"];

  /** @throws Error when the machine does not let us. */
  constructor(kind: NatKind) {
    try {
      for (const name of this.#names) {
        run("ip", "netns", "add", this.#namespace(name));
        this.#in(name, "ip", "link", "set", "lo", "up");
      }
      this.#in("server", "ip", "address", "add", `${natServer}/32`, "dev", "lo");
      this.#in("server", "sysctl", "-qw", "net.ipv4.ip_forward=1");
      for (const [host, { address, inside, outside, gateway }] of Object.entries(hosts)) {
        const nat = `nat-${host}`;
        this.#link([host, "e0", address], [nat, "in0", inside]);
        this.#link([nat, "out0", outside], ["server", `to-${host}`, gateway]);
        this.#in(host, "ip", "route", "add", "default", "via", inside);
        // The NAT drops it; without a way the server would learn that there is none, and give up the relay.
        this.#in("server", "ip", "route", "add", `${inside.replace(/1$/, "0")}/24`, "via", outside);
        this.#in(nat, "ip", "route", "add", "default", "via", gateway);
        this.#in(nat, "sysctl", "-qw", "net.ipv4.ip_forward=1");
        const masquerade = ["iptables", "-t", "nat", "-A", "POSTROUTING", "-o", "out0", "-j", "MASQUERADE"];
        this.#in(nat, ...masquerade, ...(kind === "symmetric" ? ["--random"] : []));
        this.#in(
          nat,
          "iptables",
          "-A",
          "FORWARD",
          "-i",
          "out0",
          "-m",
          "conntrack",
          "--ctstate",
          "NEW",
          "-j",
          "DROP",
        );
      }
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** The address of a host behind its NAT, and the one that others see. */
  addresses(host: "a" | "b"): { readonly inside: string; readonly outside: string } {
    return { inside: hosts[host].address, outside: hosts[host].outside };
  }

  /** What stands before a command so that it runs there. */
  command(name: "a" | "b" | "server"): string[] {
    return ["ip", "netns", "exec", this.#namespace(name)];
  }

  #namespace(name: string): string {
    return `${this.#prefix}-${name}`;
  }

  #in(name: string, ...command: string[]): void {
    run("ip", "netns", "exec", this.#namespace(name), ...command);
  }

  #link(...ends: [readonly [string, string, string], readonly [string, string, string]]): void {
    const [[one, device, _], [other, otherDevice]] = ends;
    run(
      ...["ip", "link", "add", device, "netns", this.#namespace(one), "type", "veth"],
      ...["peer", "name", otherDevice, "netns", this.#namespace(other)],
    );
    for (const [name, end, address] of ends) {
      this.#in(name, "ip", "address", "add", `${address}/24`, "dev", end);
      this.#in(name, "ip", "link", "set", end, "up");
    }
  }

  [Symbol.dispose](): void {
    for (const name of this.#names) spawnSync("ip", ["netns", "delete", this.#namespace(name)]);
  }
}

function run(...command: string[]): void {
  const [program = "", ...args] = command;
  const { status, stderr, error } = spawnSync(program, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command.join(" ")}: ${error?.message ?? stderr.trim()}`);
}

/** For the `skip` option of `describe` and `it`: whether this machine lets us make such a network. */
export function skipWithoutNat(): string | false {
  if (process.platform !== "linux") return "network namespaces are Linux's";
  const missing = ["ip", "iptables", "sysctl"].filter((program) => !inPath(program));
  if (missing.length > 0) return `no ${missing.join(", ")} in PATH (Debian: iproute2, iptables, procps)`;
  try {
    new NatNetwork("cone")[Symbol.dispose]();
    return false;
  } catch (error) {
    return `no network namespaces with NAT here: ${(error as Error).message}`;
  }
}
