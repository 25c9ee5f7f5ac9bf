// SPDX-License-Identifier: GPL-2.0-or-later
/** Keeping an address registered. */
import { ContactHeader, type Engine, FromHeader, Registration, type SIPURI } from "../mod.ts";
import type { Input } from "./command.ts";
import { done, statusOf } from "./exit_status.ts";
import { credentialsOf, routesTo, timeoutOf } from "./station.ts";

export interface RegisterOptions extends Input {
  readonly engine: Engine;
  /** Unregisters when it aborts. */
  readonly until: AbortSignal;
  /** Called at every success. */
  readonly onSuccess: () => void;
}

/**
 * Registers, and registers again in time, until it is told to end; then it unregisters. Resolves with the exit status,
 * early when the first attempt fails.
 */
export async function keepRegistered(uri: SIPURI, options: RegisterOptions): Promise<number> {
  const { engine, values, output, signal, until, onSuccess } = options;
  const timeout = timeoutOf(values);
  const [route] = await routesTo(uri, options);
  const credentials = credentialsOf(uri, values);
  using registration = new Registration(new FromHeader(uri), {
    duration: values.number("duration", 1, 1e6) ?? 300,
    autoRefresh: true,
    ...(credentials && { credentials }),
  });
  const notes = registration.notifications();
  registration.register(new ContactHeader(engine.contactUri(route!, { user: uri.user })), route!, {
    timeout,
  });
  let isRegistered = false;
  const end = () => registration.end({ timeout: 2 });
  const leave = () => isRegistered ? end() : registration[Symbol.dispose]();
  until.addEventListener("abort", leave, { once: true });
  try {
    for await (const { name, data } of notes) {
      if (name === "SIPRegistrationDidSucceed") {
        isRegistered = true;
        const contacts = data.contactHeaderList.map((contact) => String(contact.uri));
        const seconds = data.expiresIn;
        output.event(
          "registered",
          { expiresIn: seconds, contacts },
          `Registered for ${seconds} s: ${contacts.join(" ")}`,
        );
        if (until.aborted) end();
        onSuccess();
      } else if (name === "SIPRegistrationDidFail") {
        const { code, reason, willRetryIn } = data;
        const again = isRegistered && willRetryIn !== null ? `; again in ${Math.ceil(willRetryIn)} s` : "";
        output.event("failed", { code, reason, willRetryIn }, `${code} ${reason}${again}`);
        if (!isRegistered) return statusOf(code);
      } else if (name === "SIPRegistrationDidNotEnd") {
        output.event(
          "stays",
          { code: data.code, reason: data.reason },
          `Not unregistered: ${data.code} ${data.reason}`,
        );
        return done;
      } else if (name === "SIPRegistrationDidEnd") {
        output.event("unregistered", { expired: data.expired }, data.expired ? "Expired" : "Unregistered");
        if (until.aborted) return done;
      }
    }
  } finally {
    until.removeEventListener("abort", leave);
  }
  if (!isRegistered) signal.throwIfAborted();
  return done;
}
