import { type FormEvent, useState } from "react";

import { supabase } from "../backend";
import { Logo } from "../ui/icons";
import { Problem } from "../ui/problem";

/** The page to which the link of a password-reset mail leads. */
export function NewPassword({ done }: { done: () => void }) {
  const [password, setPassword] = useState("");
  const [problem, setProblem] = useState<Error>();
  const [busy, setBusy] = useState(false);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    const { error } = await supabase.auth.updateUser({ password });
    setBusy(false);
    if (error) setProblem(error);
    else done();
  };

  return (
    <div className="gate">
      <div className="intro">
        <Logo />
        <h1>Lantern</h1>
      </div>
      <form className="card" onSubmit={submit}>
        <h2>Choose a new password</h2>
        <label>
          New password
          <input
            type="password"
            name="password"
            autoComplete="new-password"
            minLength={8}
            required
            autoFocus
            value={password}
            onChange={(event) => setPassword(event.target.value)}
          />
        </label>
        <Problem of={problem} />
        <button className="button wide" disabled={busy}>Save the password</button>
      </form>
    </div>
  );
}
