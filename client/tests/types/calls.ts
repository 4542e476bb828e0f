/**
 * What must compile, and what must not. `deno task check types` and `deno task package` compile this file; nothing runs it.
 *
 * @module
 */

import { createClient } from "@supabase/supabase-js";

import { Attachments } from "../../attachments/attachments.ts";
import type { Database } from "../../database.ts";
import { type Answer, type Code, createStrongroom, type StrongroomError } from "../../index.ts";
import { Chats, type ChatStore, MemoryStore } from "../../mod.ts";
import { createService } from "../../service.ts";
import { IndexedDbStore } from "../../stores/indexeddb.ts";

const supabase = createClient<Database>("http://127.0.0.1:54321", "sb_publishable_key");
const strongroom = createStrongroom(supabase);
const service = createService(supabase);
const id: string = crypto.randomUUID();

/** Compiles only for a value of exactly this type. */
function exactly<Expected>() {
  return <Actual>(
    _value: Actual,
    ..._same: [Actual] extends [Expected] ? [Expected] extends [Actual] ? [] : [never] : [never]
  ): void => {};
}

export async function calls(): Promise<void> {
  // A wrong route.
  // @ts-expect-error there is no such group
  strongroom.invoices;
  // @ts-expect-error there is no such method
  await strongroom.credits.withdraw({ sku: "a", quantity: 1 });
  // @ts-expect-error only a service may grant
  await strongroom.credits.grant({ amount: 1 });
  // @ts-expect-error only a user may sign downloads
  await service.files.sign({ bucket: "a", paths: ["b"] });
  // @ts-expect-error the route has an id
  await strongroom.messages.save({ role: "user", content: "Hello" });
  // @ts-expect-error the route has two ids
  await strongroom.messages.replace(id, { role: "user", content: "Hello" });

  // A wrong body or query.
  await strongroom.credits.deduct({ sku: "image.generate", quantity: 1 });
  // @ts-expect-error a quantity is a number
  await strongroom.credits.deduct({ sku: "image.generate", quantity: "1" });
  // @ts-expect-error there is no such member
  await strongroom.credits.deduct({ sku: "image.generate", count: 1 });
  // @ts-expect-error a user names no price
  await strongroom.credits.deduct({ amount: 1 });
  // @ts-expect-error a user acts for no other user
  await strongroom.credits.balance({ user_id: id });
  await service.credits.balance({ user_id: id });
  // @ts-expect-error a service names the user
  await service.conversations.start({ message: { role: "user", content: "Hello" } });
  // @ts-expect-error a message has a content
  await strongroom.messages.save(id, { role: "user" });
  // @ts-expect-error there is no such role
  await strongroom.messages.save(id, { role: "bot", content: "Hello" });
  // @ts-expect-error neither is there in a batch
  await strongroom.messages.save(id, { messages: [{ role: "bot", content: "Hello" }] });
  // The body and the query of one route.
  await strongroom.chats.delete(id, { expected_version: 2 });
  // @ts-expect-error there is no such member
  await strongroom.chats.delete(id, { version: 2 });
  // @ts-expect-error a statement is of a month
  await strongroom.credits.statement({ limit: 10 });
  // @ts-expect-error the body of a route that has one cannot be left out
  await strongroom.conversations.start();
  // @ts-expect-error a route without a body takes none
  await strongroom.keys.list({ name: "a" });

  // A wrong result.
  const { data, error } = await strongroom.credits.deduct({ sku: "a", quantity: 1 });
  // @ts-expect-error the call may have failed
  data.balance_after;
  if (error) {
    // @ts-expect-error then there is no data
    data.balance_after;
  } else {
    exactly<number>()(data.balance_after);
    // @ts-expect-error there is no such member
    data.total;
  }
  const entry = await strongroom.credits.deduct({ sku: "a", quantity: 1 }).throwOnError();
  exactly<Answer<"POST /credits/deduct">>()(entry);
  // @ts-expect-error an amount is a number
  entry.amount.toUpperCase();

  // A wrong code.
  if (error) {
    exactly<Code<"POST /credits/deduct">>()(error.code);
    if (error.code === "insufficient_credits" || error.code === "unreachable") return;
    // @ts-expect-error a charge never fails with the code of a chat
    if (error.code === "version_conflict") return;
  }
  const upload = await strongroom.files.upload(new Blob(), { bucket: "chat_attachments" });
  if (upload.error?.code === "storage_quota_exceeded") return;
  if (upload.error?.code === "upload_rejected") return;
  if (upload.error?.code === "upload_failed") return;
  // @ts-expect-error an upload never fails with the code of a charge
  if (upload.error?.code === "insufficient_credits") return;
  // @ts-expect-error an upload has a bucket
  await strongroom.files.upload(new Blob(), {});
  const anyError: StrongroomError = upload.error!;
  exactly<string>()(anyError.code);
}

export async function answers(): Promise<void> {
  const { data, error } = await strongroom.answers.start({ message: "Hello" });
  if (data) exactly<number | undefined>()(data.entry?.amount);
  if (error?.code === "insufficient_credits" || error?.code === "model_not_allowed") return;
  // @ts-expect-error an answer never fails with the code of a chat
  if (error?.code === "version_conflict") return;
  // @ts-expect-error a temperature is a number
  await strongroom.answers.start({ message: "Hello", parameters: { temperature: "hot" } });
  // @ts-expect-error there is no such trigger
  await strongroom.answers.start({ trigger: "repeat" });
  // @ts-expect-error an ephemeral answer is to messages
  await strongroom.answers.ephemeral({ message: "Hello" });
  const ended = await strongroom.answers.ephemeral({ messages: [{ role: "user" }] }).throwOnError();
  exactly<string>()(ended.text);
  // @ts-expect-error it is said which answer to stop
  await strongroom.answers.stop();
  // @ts-expect-error a service asks no model for a user
  service.answers;
}

export async function units(): Promise<void> {
  const { data: balance } = await strongroom.credits.balance({ unit: "minutes" });
  if (balance) exactly<string | undefined>()(balance.unit);
  await service.credits.grant({ user_id: id, amount: 10, unit: "minutes" });
  // @ts-expect-error a unit is a name
  await strongroom.credits.balance({ unit: 1 });
  const { error } = await strongroom.credits.balance({ unit: "minutes" });
  if (error?.code === "unknown_unit") return;
}

export function live(): void {
  const live = strongroom.live({
    onCredits: (wakeUp) => {
      // @ts-expect-error it may have been missed what has changed
      wakeUp.available;
      if (!wakeUp.missed) exactly<number>()(wakeUp.available);
    },
    onUnits: (wakeUp) => wakeUp.missed || exactly<string>()(wakeUp.unit),
    onAlerts: (wakeUp) => wakeUp.missed || exactly<string | undefined>()(wakeUp.unit),
    onMessages: (wakeUp) => wakeUp.missed || wakeUp.conversation_id?.length,
    // @ts-expect-error there is no such handler
    onInvoices: () => {},
  });
  live.stop();
}

export async function chats(): Promise<void> {
  const store: ChatStore = await IndexedDbStore.open(id);
  const chats = new Chats(supabase, id, { store: id === "" ? new MemoryStore() : store });
  const attachments = new Attachments(supabase, id, chats.keys);
  await attachments.add(id, new Blob(), { name: "a" });
  // @ts-expect-error the bytes are a Blob
  await attachments.add(id, "text");
  // @ts-expect-error a chat is saved with a content
  await chats.save(chats.create());
  const { data } = await supabase.from("messages").select("content, sequence_number").single();
  exactly<Database["public"]["Tables"]["messages"]["Row"]["sequence_number"] | undefined>()(
    data?.sequence_number,
  );
  // @ts-expect-error the table has no such column
  data?.contents;
}
