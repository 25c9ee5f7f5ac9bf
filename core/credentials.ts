// SPDX-License-Identifier: GPL-2.0-or-later
import type { Writer } from "../ffi/wire.ts";
import { checkBoolean, checkConcrete, checkInstance, checkText } from "./check_argument.ts";

/** The hashes of digest authentication that can be answered (RFC 2617, RFC 8760). */
export type DigestAlgorithm = "MD5" | "SHA-256" | "SHA-512-256";

const HEX_DIGITS: Readonly<Record<DigestAlgorithm, number>> = { "MD5": 32, "SHA-256": 64, "SHA-512-256": 64 };

/** What may be left out of {@linkcode Credentials}. */
export interface CredentialsOptions {
  /** The realm that these credentials answer; "*", the default, is any. */
  realm?: string;
  /** Whether `password` is the HA1 hash, in hexadecimal, instead of the password. Default false. */
  digest?: boolean;
  /** The hash with which that HA1 was made. Default "MD5". */
  algorithm?: DigestAlgorithm;
}

/** What {@linkcode Credentials} is made from. */
export interface CredentialsInit extends CredentialsOptions {
  /** The user name. */
  username: string;
  /** The password, or the hash made of it; it is never printed. */
  password: string;
}

type Fields = Required<CredentialsInit>;

let write: (credentials: BaseCredentials, fields: Partial<Fields>) => void;

/** What {@linkcode Credentials} and {@linkcode FrozenCredentials} share. */
export abstract class BaseCredentials {
  /** A copy, of the class on which it is called. */
  static from<T extends BaseCredentials>(this: new (init: CredentialsInit) => T, other: BaseCredentials): T {
    return new this(checkInstance(other, BaseCredentials, "other"));
  }

  static {
    write = (credentials, fields) => Object.assign(credentials.#fields, fields);
  }

  readonly #fields: Fields;

  /** For the two twins alone. */
  constructor(init: CredentialsInit) {
    checkConcrete(new.target, BaseCredentials);
    const { username, password, realm = "*", digest = false, algorithm = "MD5" } = init;
    this.#fields = {
      username: checkText(username, "username"),
      password: checkText(password, "password"),
      realm: checkText(realm, "realm"),
      digest: checkBoolean(digest, "digest"),
      algorithm: checkAlgorithm(algorithm),
    };
    // PJSIP copies as many characters as the algorithm's hash has, whatever is there.
    if (digest && !(/^[0-9A-Fa-f]*$/.test(password) && password.length === HEX_DIGITS[algorithm])) {
      throw new TypeError(`password must be ${HEX_DIGITS[algorithm]} hexadecimal digits, as digest is set`);
    }
  }

  /** Whether this is the twin that never changes. */
  abstract get frozen(): boolean;

  /** The user name. */
  get username(): string {
    return this.#fields.username;
  }

  /** The password, or the HA1 hash when `digest` is set. */
  get password(): string {
    return this.#fields.password;
  }

  /** The realm that these credentials answer, "*" for any. */
  get realm(): string {
    return this.#fields.realm;
  }

  /** Whether `password` is the HA1 hash. */
  get digest(): boolean {
    return this.#fields.digest;
  }

  /** The hash with which the HA1 was made. */
  get algorithm(): DigestAlgorithm {
    return this.#fields.algorithm;
  }

  /** Whether all components are equal. */
  equals(other: unknown): boolean {
    return other instanceof BaseCredentials &&
      this.username === other.username &&
      this.password === other.password &&
      this.realm === other.realm &&
      this.digest === other.digest &&
      this.algorithm === other.algorithm;
  }

  /** The user and the realm; the password is never printed. */
  toString(): string {
    return `${this.username} in realm "${this.realm}"`;
  }
}

/**
 * The user name and password that answer a server's challenge.
 *
 * @example
 * ```ts
 * import { Credentials } from "@sipcore/sipcore";
 *
 * const credentials = new Credentials("alice", "secret", { realm: "example.com" });
 * credentials.password = "better";
 * ```
 */
export class Credentials extends BaseCredentials {
  /** From its parts, which are copied. */
  constructor(username: string, password: string, options?: CredentialsOptions);
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: CredentialsInit);
  constructor(first: string | CredentialsInit, password?: string, options?: CredentialsOptions) {
    super(credentialsInit(first, password, options));
  }

  /** That it can be changed. */
  get frozen(): false {
    return false;
  }

  /** The user name. */
  override get username(): string {
    return super.username;
  }
  override set username(username: string) {
    write(this, { username: checkText(username, "username") });
  }

  /** The password, or the hash made of it; it is never printed. */
  override get password(): string {
    return super.password;
  }
  override set password(password: string) {
    write(this, { password: checkText(password, "password") });
  }

  /** The realm that they are for; "*" is any. */
  override get realm(): string {
    return super.realm;
  }
  override set realm(realm: string) {
    write(this, { realm: checkText(realm, "realm") });
  }

  /** Whether the password is the hash of user name, realm and password. */
  override get digest(): boolean {
    return super.digest;
  }
  override set digest(digest: boolean) {
    write(this, { digest: checkBoolean(digest, "digest") });
  }

  /** The algorithm that such a hash was made with. */
  override get algorithm(): DigestAlgorithm {
    return super.algorithm;
  }
  override set algorithm(algorithm: DigestAlgorithm) {
    write(this, { algorithm: checkAlgorithm(algorithm) });
  }
}

/** A {@linkcode Credentials} that never changes. */
export class FrozenCredentials extends BaseCredentials {
  /** From its parts, which are copied. */
  constructor(username: string, password: string, options?: CredentialsOptions);
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: CredentialsInit);
  constructor(first: string | CredentialsInit, password?: string, options?: CredentialsOptions) {
    super(credentialsInit(first, password, options));
    Object.freeze(this);
  }

  /** That it never changes. */
  get frozen(): true {
    return true;
  }
}

function credentialsInit(
  first: string | CredentialsInit,
  password: string | undefined,
  options: CredentialsOptions | undefined,
): CredentialsInit {
  return typeof first === "string"
    ? { ...options, username: first, password: checkText(password, "password") }
    : first;
}

function checkAlgorithm(value: unknown): DigestAlgorithm {
  const algorithm = checkText(value, "algorithm");
  if (!Object.hasOwn(HEX_DIGITS, algorithm)) {
    throw new RangeError(
      `algorithm must be one of ${Object.keys(HEX_DIGITS).join(", ")}, got "${algorithm}"`,
    );
  }
  return algorithm as DigestAlgorithm;
}

/** Writes them as the border has them: a list (shim/credentials.c). */
export function writeCredentials(writer: Writer, credentials: BaseCredentials | null): Writer {
  return writer.list(credentials ? [credentials] : [], (to, one) => {
    to.text(one.realm).text(one.username).text(one.password).u8(one.digest ? 1 : 0).text(one.algorithm);
  });
}
