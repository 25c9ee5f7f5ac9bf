// SPDX-License-Identifier: GPL-2.0-or-later
/** The command line of pjsua, as far as pjproject's system tests use it. */
import { FrozenSDPSession } from "../../../mod.ts";

/** What a test wants of the program. */
export interface PjsuaOptions {
  readonly id: string | null;
  readonly registrar: string | null;
  /** In the order given; what `--next-cred` parts. */
  readonly credentials: readonly {
    readonly realm: string;
    readonly username: string;
    readonly password: string;
  }[];
  readonly localPort: number;
  readonly telnetPort: number;
  /** The code that every call is answered with at once; null: a command answers. */
  readonly autoAnswer: number | null;
  readonly maxCalls: number;
  readonly duration: number;
  /** Null: no timer is asked for, one that the peer asks for is kept. */
  readonly sessionTimer: { readonly expires: number; readonly minSe: number } | null;
  /** 0: RTP/AVP alone; 1: either; 2: RTP/SAVP alone. */
  readonly srtp: number;
  readonly audioStreams: number;
  readonly withoutCodec: string | null;
  /** What every offer and answer of ours is, without any stream behind it. */
  readonly customSdp: FrozenSDPSession | null;
  readonly buddy: string | null;
  readonly has: (flag: string) => boolean;
  /** Who is called at the start. */
  readonly callee: string | null;
}

const flags = new Set([
  ...[
    "null-audio",
    "no-tcp",
    "use-ims",
    "publish",
    "use-100rel",
    "extra-audio",
    "use-ice",
    "ice-no-rtcp",
    "mwi",
  ],
  ...["no-supported-norefersub", "use-cli", "no-cli-console"],
]);

const values = new Set([
  ...["id", "registrar", "realm", "username", "password", "local-port", "cli-telnet-port", "auto-answer"],
  ...["max-calls", "reg-timeout", "use-timer", "timer-se", "timer-min-se", "use-srtp", "srtp-secure"],
  ...["srtp-keying", "add-codec", "dis-codec", "rtp-port", "add-buddy", "custom-sdp", "auto-update-nat"],
]);

/** Throws Error for an option that it does not know. */
export function parseOptions(args: readonly string[]): PjsuaOptions {
  const given = new Map<string, string>();
  const credentials: { realm: string; username: string; password: string }[] = [];
  let callee: string | null = null;
  const rest = [...args];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (!arg.startsWith("--")) {
      callee = arg;
      continue;
    }
    const [, name = "", value] = arg.match(/^--([^=]+)(?:=(.*))?$/s) ?? [];
    const known = name === "user" ? "username" : name; // getopt_long knows it by its beginning
    if (flags.has(known)) given.set(known, "");
    else if (values.has(known)) given.set(known, value ?? rest.shift() ?? "");
    else if (known !== "next-cred") throw new Error(`unknown option ${arg}`);
    if (known === "next-cred") addCredentials();
  }
  addCredentials();

  function addCredentials(): void {
    const username = given.get("username");
    if (username === undefined) return;
    credentials.push({ realm: given.get("realm") ?? "*", username, password: given.get("password") ?? "" });
    given.delete("username");
  }

  const custom = given.get("custom-sdp")?.replaceAll("\\r\\n", "\r\n");
  const number = (name: string, otherwise: number) => Number(given.get(name) ?? otherwise);
  const minSe = number("timer-min-se", 90);
  const wantsTimer = ["use-timer", "timer-se", "timer-min-se"].some((name) => given.has(name));
  return {
    id: given.get("id") ?? null,
    registrar: given.get("registrar") ?? null,
    credentials,
    localPort: number("local-port", 5060),
    telnetPort: number("cli-telnet-port", 0),
    autoAnswer: given.has("auto-answer") ? number("auto-answer", 200) : null,
    maxCalls: number("max-calls", 4),
    duration: number("reg-timeout", 300),
    sessionTimer: wantsTimer ? { expires: number("timer-se", 1800), minSe } : null,
    srtp: number("use-srtp", 0),
    audioStreams: given.has("extra-audio") ? 2 : 1,
    withoutCodec: given.get("dis-codec") ?? null,
    customSdp: custom === undefined ? null : FrozenSDPSession.parse(`${custom}\r\n`),
    buddy: given.get("add-buddy") ?? null,
    has: (flag) => given.has(flag),
    callee,
  };
}
