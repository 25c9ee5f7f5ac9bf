// SPDX-License-Identifier: GPL-2.0-or-later
/** Why the shared library cannot be used; core turns it into a SIPCoreError of the same code. */
export class LibraryError extends Error {
  override readonly name = "LibraryError";
  readonly code: "LIBRARY_NOT_FOUND" | "LIBRARY_MISMATCH" | "RUNTIME_UNSUPPORTED";

  constructor(message: string, code: LibraryError["code"], options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
