// SPDX-License-Identifier: GPL-2.0-or-later
/** Calling over one route after the other (RFC 3263, section 4.3). */
import type { RouteHeader } from "../mod.ts";
import type { CallReport } from "./call_report.ts";

/**
 * Makes the call over the first of the routes that leads to somebody, and gives the report of the last attempt.
 *
 * @param attempt makes one call and resolves when it has ended.
 * @param onNext hears that an attempt reached nobody, before the next one.
 */
export async function callOver(
  routes: readonly RouteHeader[],
  attempt: (route: RouteHeader) => Promise<CallReport>,
  onNext: (next: RouteHeader) => void,
): Promise<CallReport> {
  for (const [index, route] of routes.entries()) {
    const report = await attempt(route);
    const next = routes[index + 1];
    if (next === undefined || !reachedNobody(report)) return report;
    onNext(next);
  }
  throw new Error("There is no route");
}

/** Whether nothing was heard but a timeout, a failure of the transport, or that the server is out of service. */
function reachedNobody({ code, endedBy, ringing, setUp }: CallReport): boolean {
  return (code === 408 || code === 503) && endedBy !== "local" && ringing === null && setUp === null;
}

/** Where a route leads, as in "192.0.2.1:5060 over UDP". */
export function describeRoute({ uri }: RouteHeader): string {
  const host = uri.host.includes(":") ? `[${uri.host}]` : uri.host;
  return `${host}:${uri.port ?? (uri.transport === "tls" ? 5061 : 5060)} over ${uri.transport.toUpperCase()}`;
}
