/**
 * Lets a new device in by another: no password is typed. The new device shows a code, also as a QR code; the other one
 * reads it and hands over the keys. `docs/device-approval.md` says why the server cannot take part.
 *
 * ```ts
 * const device = await NewDevice.begin({ supabase, user_id, chats }, "Firefox on Linux");
 * show(device.code, device.qr);
 * await store.setDeviceKey(await device.accept());
 * ```
 *
 * On the other device:
 *
 * ```ts
 * const approval = await Approval.begin({ supabase, user_id, chats }, typedOrScanned);
 * if (confirm(`Let "${await approval.name()}" in?`)) await approval.approve();
 * else await approval.refuse();
 * ```
 *
 * @module
 */

export { Approval, type WaitingDevice, waitingDevices } from "./approval.ts";
export type { ApprovalOptions } from "./approval_state.ts";
export { NewDevice } from "./new_device.ts";
export type { Wait } from "./relay.ts";
export { ChatsError } from "../chats/chats_error.ts";
export { CryptoError, type DeviceKey } from "../crypto/mod.ts";
