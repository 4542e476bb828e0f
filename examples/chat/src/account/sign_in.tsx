import { type FormEvent, useState } from "react";

import { supabase } from "../backend";
import { Logo } from "../ui/icons";
import { Problem } from "../ui/problem";

type Mode = "in" | "up" | "reset";

const TITLES = { in: "Welcome back", up: "Create your account", reset: "Reset your password" };
const ACTIONS = { in: "Sign in", up: "Create account", reset: "Send the link" };

/** Signs in, signs up, and asks for a mail to reset the password. */
export function SignIn({ problem: first }: { problem: string | undefined }) {
  const [mode, setMode] = useState<Mode>("in");
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [problem, setProblem] = useState<Error | string | undefined>(first);
  const [busy, setBusy] = useState(false);
  const [sent, setSent] = useState(false);

  const choose = (next: Mode) => {
    setMode(next);
    setProblem(undefined);
    setSent(false);
  };
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(undefined);
    const { auth } = supabase;
    const { error } = mode === "reset"
      ? await auth.resetPasswordForEmail(email, { redirectTo: location.origin })
      : mode === "up"
      ? await auth.signUp({ email, password })
      : await auth.signInWithPassword({ email, password });
    setBusy(false);
    if (error) setProblem(error);
    else if (mode === "reset") setSent(true);
  };

  return (
    <div className="gate">
      <div className="intro">
        <Logo />
        <h1>Lantern</h1>
        <p>Ask anything. Keep what matters private, on every device you own.</p>
      </div>
      <form className="card" onSubmit={submit}>
        <h2>{TITLES[mode]}</h2>
        {sent
          ? (
            <p className="hint">
              If there is an account for {email}, a mail with a link is on its way.
            </p>
          )
          : (
            <>
              <label>
                E-mail
                <input
                  type="email"
                  name="email"
                  autoComplete="email"
                  required
                  value={email}
                  onChange={(event) => setEmail(event.target.value)}
                />
              </label>
              {mode !== "reset" && (
                <label>
                  Password
                  <input
                    type="password"
                    name="password"
                    autoComplete={mode === "in" ? "current-password" : "new-password"}
                    minLength={8}
                    required
                    value={password}
                    onChange={(event) => setPassword(event.target.value)}
                  />
                </label>
              )}
              <Problem of={problem} />
              <button className="button wide" disabled={busy}>
                {busy ? "One moment …" : ACTIONS[mode]}
              </button>
            </>
          )}
        <p className="switch">
          {mode === "in" && (
            <>
              <button type="button" className="link" onClick={() => choose("up")}>
                Create an account
              </button>
              <button type="button" className="link" onClick={() => choose("reset")}>
                Forgot your password?
              </button>
            </>
          )}
          {mode !== "in" && (
            <button type="button" className="link" onClick={() => choose("in")}>
              Back to sign in
            </button>
          )}
        </p>
      </form>
    </div>
  );
}
