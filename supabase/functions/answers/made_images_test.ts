import assert from "node:assert/strict";

import { stored, usage } from "../files/files_testing.ts";
import { serviceClient, signUp, test } from "../_testing/testing.ts";
import { ask, booksOf, Chat, plain, post, readChunks } from "./answers_testing.ts";
import { FINISH, say, withProvider } from "./provider_testing.ts";

test("sources, images and refusals of a model are shown, and what nobody knows is ignored", async () => {
  const user = await signUp();
  const chunks = await readChunks(
    await post(user, { message: "[cite] [image] [refusal] [words=2]" }),
  );
  assert.deepEqual(chunks.filter(({ type }) => type === "source-url"), [
    { type: "source-url", sourceId: "2", url: "https://example.com/lakes", title: "Lakes" },
    { type: "source-url", sourceId: "3", url: "https://example.com/rivers" },
  ]);
  const file = chunks.find((chunk) => chunk.type === "file");
  assert.ok(file);
  const [, bucket = "", path = ""] = file.url.match(/^storage:\/\/([^/]+)\/(.+)$/) ?? [];
  assert.ok(path.startsWith(`${user.id}/`), file.url);
  const { data } = await user.client.storage.from(bucket).download(path);
  assert.equal(data?.type, "image/png");
  const { used } = await usage(user);
  assert.equal(used, data?.size, "the image counts against the quota");
  const { answers: [answer] } = await booksOf(user);
  assert.equal(answer?.state, "complete");
  const chat = new Chat(user, { id: String(answer?.conversation_id) });
  await chat.sendMessage({ text: "[cite] [image] [words=2]" });
  const { answers } = await booksOf(user);
  assert.deepEqual(answers[1]?.content, plain(chat.lastMessage?.parts));
});

test("an image for which there is no room, or which is none, becomes a part that says why", async () => {
  const user = await signUp();
  await serviceClient().rpc("set_storage_quota", { user_id: user.id, bytes: 10 });
  const { body } = await ask(user, { message: "[image] [words=2]" });
  assert.equal(body.answer.state, "complete", JSON.stringify(body));
  const { type, data } = body.message.content.at(-1);
  assert.deepEqual([type, data.code], ["data-file-refused", "storage_quota_exceeded"]);
  assert.deepEqual(await stored(user), []);

  const image = (url: unknown) => ({ choices: [{ delta: { images: [{ image_url: { url } }] } }] });
  const svg = image("data:image/svg+xml;base64,PHN2Zy8+");
  const html = image(`data:image/png;base64,${btoa("<html></html>")}`);
  const remote = image("http://127.0.0.1:1/a.png");
  const odd = [image(5), { choices: [{ delta: { images: "x", annotations: [{ type: 1 }] } }] }];
  await withProvider(
    () => [say("Look"), svg, html, remote, ...odd, FINISH, "[DONE]"],
    async (model) => {
      const { body } = await ask(user, { message: "Hi", model });
      assert.equal(body.answer.state, "complete", JSON.stringify(body));
      assert.deepEqual(
        body.message.content.slice(2).map(({ data }: { data: { code: string } }) => data.code),
        Array(3).fill("file_type_not_supported"),
      );
      const ephemeral = await readChunks(
        await post(user, { messages: [{ role: "user", content: "Hi" }], model }, {
          path: "/ephemeral",
        }),
      );
      assert.ok(!JSON.stringify(ephemeral).includes("base64"));
    },
  );
  assert.deepEqual(await stored(user), []);
});
