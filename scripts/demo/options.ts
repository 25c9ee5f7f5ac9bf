// SPDX-License-Identifier: GPL-2.0-or-later
/** The command line of the demo. */
import { parseArgs } from "node:util";

export type DemoMode =
  | { readonly kind: "loopback" }
  | { readonly kind: "call"; readonly uri: string }
  | { readonly kind: "listen"; readonly port: number };

export interface DemoOptions {
  readonly mode: DemoMode;
  /** The caller runs on Bun and the callee on Deno instead of the reverse. */
  readonly swap: boolean;
  readonly codec: string | null;
  /** The WAV file that the caller (of `listen`: the callee) plays; null: a sound made by the demo. */
  readonly file: string | null;
  readonly seconds: number | null;
  readonly folder: string | null;
  readonly username: string | null;
  readonly password: string | null;
  /** Draws each call as an SVG file beside the recordings. */
  readonly plot: boolean;
}

/** A command line that cannot be followed; the message says why. */
export class UsageError extends Error {
  override readonly name: string = "UsageError";
}

export const usage: string = `Usage: npm run demo [-- [ADDRESS | --listen PORT] [OPTIONS]]

Without an address: a caller on Deno calls a callee on Bun over loopback. Each plays a sound
to the other and records what it hears; the exit status is 0 if both recordings match.

  sip:user@host        calls this address instead, records what it hears
  --listen PORT        waits for calls on this UDP and TCP port; plays a sound to each,
                       then gives back what it hears; until Ctrl-C

  --swap               exchanges the runtimes: caller on Bun, callee on Deno
  --codec NAME         uses only this codec, such as PCMU, G722 or opus
  --file WAV           plays this file: the caller, or with --listen the callee (mono, 16 bit)
  --seconds N          over loopback the length of the sounds, default 4, else hangs up N
                       seconds after the answer (default: 10 when calling, never when listening)
  --folder DIR         where recordings go, default demo-recordings
  --user NAME, --password TEXT
                       credentials for the address
  --plot               draws level, jitter and loss of the call over time, as an SVG file
                       beside the recordings
  --help               this text

Ctrl-C hangs up; a second one leaves at once.
`;

/**
 * Reads the command line; null: help was asked for.
 *
 * @throws {UsageError} when it cannot be followed.
 */
export function parseOptions(args: readonly string[]): DemoOptions | null {
  const { values, positionals } = split(args);
  if (values.help === true) return null;
  const mode = modeOf(positionals, values.listen);
  if (mode.kind !== "call" && (values.user !== undefined || values.password !== undefined)) {
    throw new UsageError("--user and --password go with an address to call");
  }
  if ((values.user === undefined) !== (values.password === undefined)) {
    throw new UsageError("--user and --password go together");
  }
  for (const [name, value] of Object.entries(values)) {
    if (value === "") throw new UsageError(`--${name} wants a value`);
  }
  return {
    mode,
    swap: values.swap === true,
    codec: values.codec ?? null,
    file: values.file ?? null,
    seconds: values.seconds === undefined ? null : seconds(values.seconds, mode),
    folder: values.folder ?? null,
    username: values.user ?? null,
    password: values.password ?? null,
    plot: values.plot === true,
  };
}

interface Values {
  readonly help?: boolean;
  readonly swap?: boolean;
  readonly listen?: string;
  readonly codec?: string;
  readonly file?: string;
  readonly seconds?: string;
  readonly folder?: string;
  readonly user?: string;
  readonly password?: string;
  readonly plot?: boolean;
}

function split(args: readonly string[]): { values: Values; positionals: readonly string[] } {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        help: { ...flag, short: "h" },
        swap: flag,
        listen: text,
        codec: text,
        file: text,
        seconds: text,
        folder: text,
        user: text,
        password: text,
        plot: flag,
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function modeOf(positionals: readonly string[], listen: string | undefined): DemoMode {
  const [uri, ...more] = positionals;
  if (more.length > 0) {
    throw new UsageError(`One address, not ${positionals.length}: ${positionals.join(" ")}`);
  }
  if (uri !== undefined && listen !== undefined) throw new UsageError("Either an address or --listen");
  if (listen !== undefined) {
    const port = /^[0-9]{1,5}$/.test(listen) ? Number(listen) : 0;
    if (port < 1 || port > 65535) throw new UsageError(`--listen wants a port, 1 to 65535: ${listen}`);
    return { kind: "listen", port };
  }
  if (uri === undefined) return { kind: "loopback" };
  if (!/^sips?:./i.test(uri)) throw new UsageError(`Not an address such as sip:user@host: ${uri}`);
  return { kind: "call", uri };
}

function seconds(text: string, mode: DemoMode): number {
  const value = Number(text);
  // The sounds over loopback need room for some windows to compare.
  const least = mode.kind === "loopback" ? 2 : 1;
  if (!(value >= least && value <= 3600)) {
    throw new UsageError(`--seconds wants a number, ${least} to 3600: ${text}`);
  }
  return value;
}
