import { type FormEvent, useState } from "react";

import { useOutOfCredits } from "../account/credits";
import { strongroom } from "../backend";
import { useChanges } from "../changes";
import { SparkIcon } from "../ui/icons";
import { Problem } from "../ui/problem";
import { paint } from "./paint";

/** Buys an image. The server knows the price; the app only says what it buys. */
export function CreateImage({ close, keep }: { close: () => void; keep: (image: File) => void }) {
  const [prompt, setPrompt] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Error>();
  const { readBalance } = useChanges();
  const tellOutOfCredits = useOutOfCredits();

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(undefined);
    const image = await paint(prompt);
    const { error } = await strongroom.credits.deduct({ sku: "image.generate", quantity: 1 });
    setBusy(false);
    readBalance();
    if (!error) {
      keep(image);
      return close();
    }
    if (error.code !== "insufficient_credits") return setProblem(error);
    const { required, available } = error.fields as { required?: number; available?: number };
    tellOutOfCredits({ what: "An image costs", required, available });
  };

  return (
    <form className="create" onSubmit={submit}>
      <SparkIcon />
      <input
        aria-label="What the image shows"
        placeholder="A lighthouse in the evening"
        required
        maxLength={80}
        autoFocus
        value={prompt}
        onChange={(event) => setPrompt(event.target.value)}
      />
      <button className="button" disabled={busy}>Create · 40 credits</button>
      <button type="button" className="quiet" onClick={close}>Cancel</button>
      <Problem of={problem} />
    </form>
  );
}
