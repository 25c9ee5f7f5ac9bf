// SPDX-License-Identifier: GPL-2.0-or-later
/** The engine as the options want it, and who is spoken to as whom. */
import process from "node:process";
import {
  type BaseRouteHeader,
  Credentials,
  Engine,
  type EngineOptions,
  type EngineSIPTrace,
  NotificationCenter,
  resolve,
  type RouteHeader,
  SIPCoreError,
  SIPURI,
} from "../mod.ts";
import type { Input, Values } from "./command.ts";
import { failedHere, Failure, misused, unreached } from "./exit_status.ts";

/** Port and address of a program that only asks the library something. */
export const noPorts: Partial<EngineOptions> = { udpPort: null, tcpPort: null, tlsPort: null };

/**
 * Starts the engine; the caller stops it.
 *
 * @throws {Failure}
 */
export async function startEngine(
  { values, output }: Pick<Input, "values" | "output">,
  options: Partial<EngineOptions> = {},
): Promise<Engine> {
  const engine = new Engine();
  const port = values.port("port") ?? 0;
  if (values.has("verbose")) {
    new NotificationCenter().addObserver(({ data }) => {
      output.remark(`${data.timestamp.toISOString()} ${describeTrace(data)}\n${data.data}`);
    }, { name: "SIPEngineSIPTrace" });
  }
  try {
    await engine.start({
      ipAddress: values.text("address"),
      udpPort: port,
      tcpPort: port,
      tlsPort: values.port("tls-port") ?? 0,
      tlsCaFile: values.text("tls-ca"),
      tlsVerifyServer: values.has("tls-ca"),
      tlsCertFile: values.text("tls-cert"),
      tlsPrivkeyFile: values.text("tls-key"),
      traceSip: values.has("verbose"),
      ...options,
    });
  } catch (cause) {
    if (cause instanceof SIPCoreError) throw new Failure(cause.message, failedHere, { cause });
    throw new Failure((cause as Error).message, misused, { cause });
  }
  return engine;
}

/** Where a message came from or went to, as in "from 192.0.2.1:5060 over UDP". */
export function describeTrace(trace: EngineSIPTrace): string {
  const [way, ip, port] = trace.received
    ? ["from", trace.sourceIp, trace.sourcePort]
    : ["to", trace.destinationIp, trace.destinationPort];
  return `${way} ${ip.includes(":") ? `[${ip}]` : ip}:${port} over ${trace.transport.toUpperCase()}`;
}

/**
 * An address as it is typed: "sip:" may be left out.
 *
 * @throws {Failure}
 */
export function readURI(text: string): SIPURI {
  const uri = SIPURI.tryParse(/^sips?:/i.test(text) ? text : `sip:${text}`);
  if (uri === null) throw new Failure(`Not a SIP address such as sip:user@host: ${text}`, misused);
  return uri;
}

/**
 * The ways to somebody, in the order in which to try them.
 *
 * @throws {Failure}
 */
export async function routesTo(uri: SIPURI, { values, signal }: Input): Promise<readonly RouteHeader[]> {
  const proxy = values.text("proxy");
  const target = proxy === null ? SIPURI.from(uri) : readURI(proxy);
  const transport = values.text("transport");
  if (transport !== null) {
    if (transport !== "udp" && transport !== "tcp" && transport !== "tls") {
      throw new Failure(`--transport wants udp, tcp or tls: ${transport}`, misused);
    }
    target.transport = transport;
  }
  try {
    return await resolve(target, { signal });
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    throw new Failure(`There is no way to ${target}: ${(cause as Error).message}`, unreached, { cause });
  }
}

/** Who we are: what --from says, else the user at the host that is spoken to. */
export function ownURI(target: SIPURI, values: Values): SIPURI {
  const from = values.text("from");
  return from === null
    ? new SIPURI({ user: values.text("user") ?? "sipcore", host: target.host })
    : readURI(from);
}

/** What to answer challenges with; null: there is no password. */
export function credentialsOf(own: SIPURI, values: Values): Credentials | null {
  const password = values.text("password") ?? process.env["SIPCORE_PASSWORD"] ?? "";
  return password === "" ? null : new Credentials(values.text("user") ?? own.user ?? "", password);
}

/** How long to wait for an answer, in seconds. */
export function timeoutOf(values: Values): number {
  return values.number("timeout", 0.1, 3600) ?? 32;
}

/** Our address as somebody behind that route sees it. */
export function localAddress(engine: Engine, route: BaseRouteHeader): string {
  return engine.contactUri(route).host;
}

/** Aborts with the signal, or after --seconds. */
export function untilTold({ values, signal }: Input): AbortSignal {
  const seconds = values.number("seconds", 0.1, 1e6);
  return seconds === null ? signal : AbortSignal.any([signal, AbortSignal.timeout(seconds * 1000)]);
}

/** Resolves when the signal aborts. */
export async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
