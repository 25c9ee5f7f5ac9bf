// SPDX-License-Identifier: GPL-2.0-or-later

/** A chain of causes can be a ring. */
const MAX_CAUSES = 8;

/** What kind of thing was thrown: the name of an error ("TypeError"), else the `typeof` of the value. Never throws. */
export function exceptionType(value: unknown): string {
  try {
    return value instanceof Error ? String(value.name) : value === null ? "null" : typeof value;
  } catch {
    return "unknown";
  }
}

/** Name, message and stack of what was thrown, with its causes, as text to show to a human. Never throws. */
export function traceback(value: unknown): string {
  const parts: string[] = [];
  try {
    for (let at = value, depth = 0; depth < MAX_CAUSES; depth++) {
      parts.push(describe(at));
      if (!(at instanceof Error) || at.cause === undefined) break;
      at = at.cause;
    }
  } catch {
    parts.push("(an exception that cannot be printed)");
  }
  return parts.join("\nCaused by: ");
}

function describe(value: unknown): string {
  if (!(value instanceof Error)) return String(value);
  // The head of a stack was made before a class could set its name; the frames below it are what is wanted.
  const stack = value.stack ?? "";
  const frames = stack.indexOf("\n    at ");
  return frames === -1 ? String(value) : String(value) + stack.slice(frames);
}
