/** Who is signed in. */

import type { User } from "@supabase/supabase-js";
import { createContext, type ReactNode, useContext, useEffect, useState } from "react";

import { supabase } from "./backend";

interface Session {
  user: User;
  /** The user came by the link of a password-reset mail, and has to choose a new password. */
  recovering: boolean;
  recovered(): void;
}

const SessionContext = createContext<Session | undefined>(undefined);

/** The signed-in user. Only below `SessionGate`. */
export function useUser(): User {
  const session = useContext(SessionContext);
  if (!session) throw new Error("Nobody is signed in");
  return session.user;
}

/** Shows one thing to users who are signed in, another to those who are not, and a third to those who lost their password. */
export function SessionGate({ signedOut, recovery, children }: {
  signedOut: (problem: string | undefined) => ReactNode;
  recovery: (done: () => void) => ReactNode;
  children: ReactNode;
}) {
  const [user, setUser] = useState<User | null>();
  const [recovering, setRecovering] = useState(false);
  const [problem] = useState(problemOfLink);

  useEffect(() => {
    const { data } = supabase.auth.onAuthStateChange((event, session) => {
      if (event === "PASSWORD_RECOVERY") setRecovering(true);
      // The same user with another token is the same user: nothing has to be read again.
      setUser((before) => before?.id === session?.user.id ? before ?? null : session?.user ?? null);
    });
    return () => data.subscription.unsubscribe();
  }, []);

  if (user === undefined) return <div className="splash" aria-busy="true" />;
  if (user === null) return signedOut(problem);
  const recovered = () => setRecovering(false);
  if (recovering) return recovery(recovered);
  return (
    <SessionContext value={{ user, recovering, recovered }}>
      {children}
    </SessionContext>
  );
}

/** Why the link of a mail did not work, if the page was opened by one. */
function problemOfLink(): string | undefined {
  const answer = new URLSearchParams(location.hash.slice(1));
  return answer.get("error_description") ?? undefined;
}
