import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// 127.0.0.1 and not localhost: Auth compares the host with site_url when a mail leads back to the app.
const server = { host: "127.0.0.1", port: 3000, strictPort: true };

export default defineConfig({ plugins: [react()], server, preview: server });
