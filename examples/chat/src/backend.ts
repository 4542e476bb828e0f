/** The connection to Strongroom. `task example` and `.env.local` set the two variables. */

import { createStrongroom } from "@strongroom/client";
import type { Database } from "@strongroom/client/database";
import { createClient } from "@supabase/supabase-js";

export const url: string = import.meta.env.VITE_SUPABASE_URL;
export const publishableKey: string = import.meta.env.VITE_SUPABASE_PUBLISHABLE_KEY;

export const supabase = createClient<Database>(url, publishableKey);
export const strongroom = createStrongroom(supabase);
