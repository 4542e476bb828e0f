/**
 * The side of a new device: it shows a code, and receives the keys from a device that has them.
 *
 * @module
 */

import { type DeviceKey, generateDeviceKey } from "../crypto/mod.ts";
import { formatCode, formatQr, generateCode } from "./approval_code.ts";
import { approvalErrors } from "./approval_errors.ts";
import { openMessage, sealMessage } from "./approval_keys.ts";
import { type ApprovalOptions, ApprovalSide, newState, readState } from "./approval_state.ts";
import { takeKeys } from "./handed_keys.ts";
import type { Wait } from "./relay.ts";

/** The longest name of a device, in characters. */
const LONGEST_NAME = 64;

/** A new device that waits to be let in. */
export class NewDevice {
  readonly #side: ApprovalSide;
  /** What to show as a QR code. It admits a device for ten minutes, so show it to nobody else. */
  readonly qr: string;

  private constructor(side: ApprovalSide, share: string) {
    this.#side = side;
    const { id, code } = side.state;
    this.qr = formatQr({ id, code, share });
  }

  /**
   * Begins: the server lists the new device to the others.
   *
   * @param options what it works with: the keys of `chats` are locked
   * @param name how the other device names this one, 1 to 64 characters; only the user's devices can read it
   * @throws ChatsError 429 `too_many_approvals`, `unreachable`
   */
  static async begin(options: ApprovalOptions, name: string): Promise<NewDevice> {
    const shown = [...name.trim()].slice(0, LONGEST_NAME).join("") || "?";
    const known = { id: crypto.randomUUID(), code: generateCode(), name: shown };
    const side = new ApprovalSide(options, newState("new", known));
    const share = await side.share();
    await side.keep({});
    await side.relay.begin(known.id, share);
    return new NewDevice(side, share);
  }

  /**
   * Continues after a reload.
   *
   * @param options what it works with
   * @param state what `onState` was last called with
   * @throws ChatsError `approval_expired`; `invalid_argument` for something else
   */
  static async resume(options: ApprovalOptions, state: string): Promise<NewDevice> {
    const side = new ApprovalSide(options, readState(state, "new"));
    return new NewDevice(side, await side.share());
  }

  /** What to show for the user to type on the other device, such as `7KQ2-M9XD`. */
  get code(): string {
    return formatCode(this.#side.state.code);
  }

  /** When this device stops waiting. */
  get expires_at(): Date {
    return new Date(this.#side.state.until);
  }

  /**
   * Waits until the other device has let this one in. Then the keys are unlocked, this device has a key of its own, and
   * the chats are synchronised with what the other device knows of them.
   *
   * @param wait how to wait
   * @returns the device key, for the app to store as that of `rememberDevice`
   * @throws ChatsError `approval_refused`, `approval_expired`, `approval_false`, `approval_outdated`; `keys_rolled_back` or an
   * error of `sync` such as `history_rolled_back` if the server has an older state than the other device: then this device
   * is not let in; `unreachable`: call it again
   */
  async accept(wait: Wait = {}): Promise<DeviceKey> {
    const side = this.#side;
    const { id } = side.state;
    const waiting = { ...wait, until: side.state.until };
    if (!side.state.other) {
      const own = await side.share();
      const other = await side.relay.until(id, ({ share, reply }) => {
        if (share !== own) throw approvalErrors.false();
        return reply ?? undefined;
      }, waiting);
      await side.keep({ other });
    }
    const keys = await side.keys();
    if (!side.state.hello) {
      const { name } = side.state;
      await side.keep({ hello: await sealMessage(keys, "hello", side.place, { name }) });
    }
    const { other, hello } = side.state;
    await side.relay.change(id, { hello: hello! });
    const answer = await side.relay.until(id, (row) => {
      if (row.reply !== other || row.hello !== hello) throw approvalErrors.false();
      return row.answer ?? undefined;
    }, waiting);
    const handed = await openMessage(keys, "answer", side.place, answer)
      .catch((error) => Promise.reject(approvalErrors.false(error)));
    const device = await generateDeviceKey();
    await takeKeys(side.options, handed, { under: keys.wrapping, device });
    await side.relay.close(id, "done");
    await side.end();
    return device;
  }

  /** Gives up. */
  async cancel(): Promise<void> {
    await this.#side.relay.close(this.#side.state.id, "refused");
    await this.#side.end();
  }
}
