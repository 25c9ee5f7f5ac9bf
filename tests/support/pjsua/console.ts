// SPDX-License-Identifier: GPL-2.0-or-later
/** The console of pjsua: lines out, commands in, over one TCP connection. */
import { createServer, type Server, type Socket } from "node:net";
import { createInterface } from "node:readline";

/** What was said before somebody came is said to the first who comes. */
export class Console {
  readonly #server: Server;
  readonly #unsaid: string[] = [];
  #socket: Socket | null = null;

  /** `onLeft`: who was there has gone. */
  constructor(onCommand: (command: string) => void, onLeft: () => void) {
    this.#server = createServer((socket) => {
      this.#socket = socket;
      socket.on("error", () => {});
      socket.on("close", onLeft);
      socket.write(this.#unsaid.splice(0).join(""));
      createInterface({ input: socket }).on("line", (line) => {
        if (line.trim() !== "") onCommand(line.trim());
      });
    });
  }

  /** Resolves when commands can come. */
  async listen(port: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once("error", reject);
    this.#server.listen(port, "127.0.0.1", resolve);
    await promise;
  }

  say(text: string): void {
    const line = `${text.replaceAll("\r\n", "\n")}\n`;
    if (this.#socket) this.#socket.write(line);
    else this.#unsaid.push(line);
  }

  /** Says a last line; resolves when it is out. */
  async close(text: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (this.#socket) this.#socket.end(`${text}\n`, resolve);
    else resolve();
    await promise;
    this.#server.close();
  }
}
