/**
 * Every route of the functions: what a user and a service send, what the route answers, and its codes. Written by
 * `deno task client-types`.
 *
 * @module
 */

export interface components {
  schemas: {
    account_AccountDeletion: {
      removed_at: components["schemas"]["account_Time"] | null;
      requested_at: components["schemas"]["account_Time"] | null;
      /** @enum {string} */
      state: "active" | "to_be_deleted";
    };
    account_AccountExport: {
      bytes: number;
      created_at: components["schemas"]["account_Time"];
      ended_at: components["schemas"]["account_Time"] | null;
      expires_at: components["schemas"]["account_Time"] | null;
      files: number;
      files_missing: number;
      id: components["schemas"]["account_Id"];
      parts: number;
      progress: number;
      rows: number;
      /** @enum {string} */
      state: "queued" | "running" | "done" | "failed" | "cancelled" | "expired";
      tables: {
        [key: string]: number;
      };
    };
    /** Format: uuid */
    account_Id: string;
    /** Format: date-time */
    account_Time: string;
    answers_Answer: {
      attempts: number;
      cached_input_tokens: number;
      conversation_id: components["schemas"]["answers_Id"] | null;
      created_at: components["schemas"]["answers_Time"];
      credits: number | null;
      ended_at: components["schemas"]["answers_Time"] | null;
      ephemeral: boolean;
      error: string | null;
      finish_reason: string | null;
      first_part: number;
      held: number;
      hold_id: components["schemas"]["answers_Id"] | null;
      id: components["schemas"]["answers_Id"];
      input_tokens: number;
      message_id: components["schemas"]["answers_Id"] | null;
      metadata: {
        credits?: number;
        error?: string;
        finish_reason?: string;
        id: components["schemas"]["answers_Id"];
        model: string;
        /** @enum {string} */
        state: "running" | "complete" | "stopped" | "failed" | "abandoned";
        usage: components["schemas"]["answers_Usage"];
      };
      model: string;
      output_tokens: number;
      prices: {
        [key: string]: number;
      };
      project_id: components["schemas"]["answers_Id"] | null;
      question_id: components["schemas"]["answers_Id"] | null;
      reasoning_tokens: number;
      /** @enum {string} */
      state: "running" | "complete" | "stopped" | "failed" | "abandoned";
      stop_requested: boolean;
      usage_source: ("provider" | "counted") | null;
      user_id: components["schemas"]["answers_Id"];
    };
    answers_AnswerParameters: {
      frequency_penalty?: number;
      max_output_tokens?: number;
      presence_penalty?: number;
      prompt_cache_key?: string;
      reasoning_effort?: string;
      response_format?: {
        /** @enum {string} */
        type: "text" | "json_object" | "json_schema";
      } & {
        [key: string]: unknown;
      };
      seed?: number;
      server_tools?: string[];
      stop?: string[];
      temperature?: number;
      tool_choice?: string;
      tools?: {
        description?: string;
        name: string;
        parameters?: {
          [key: string]: unknown;
        };
      }[];
      top_p?: number;
    };
    answers_EndedAnswer: {
      answer: components["schemas"]["answers_Answer"];
      entry: components["schemas"]["answers_Entry"] | null;
      message: components["schemas"]["answers_Message"] | null;
    };
    answers_Entry: {
      account_id: components["schemas"]["answers_Id"];
      actor_id: components["schemas"]["answers_Id"] | null;
      amount: number;
      balance_after: number;
      created_at: components["schemas"]["answers_Time"];
      description: string | null;
      entry_no: number;
      items: components["schemas"]["answers_PricedItem"][] | null;
      /** @enum {string} */
      kind: "grant" | "deduct" | "capture" | "refund" | "expire" | "void" | "repay" | "transfer";
      quantity: number | null;
      refund_of: number | null;
      sku: string | null;
      unit: string;
      unit_price: number | null;
    };
    /** Format: uuid */
    answers_Id: string;
    answers_Message: {
      author_id: components["schemas"]["answers_Id"] | null;
      client_id: string | null;
      content: unknown;
      conversation_id: components["schemas"]["answers_Id"] | null;
      created_at: components["schemas"]["answers_Time"];
      hold_id: components["schemas"]["answers_Id"] | null;
      id: components["schemas"]["answers_Id"];
      metadata: {
        [key: string]: unknown;
      };
      object_data: unknown | null;
      project_id: components["schemas"]["answers_Id"] | null;
      result_data: unknown | null;
      /** @enum {string} */
      role: "user" | "assistant" | "system";
      sequence_number: number | null;
      /** @enum {string} */
      status: "streaming" | "complete" | "aborted";
      updated_at: components["schemas"]["answers_Time"];
      user_id: components["schemas"]["answers_Id"] | null;
    };
    answers_PricedItem: {
      amount: number;
      quantity: number;
      sku: string;
      unit: string;
      unit_price: number;
    };
    /** Format: date-time */
    answers_Time: string;
    answers_Usage: {
      cached_input_tokens: number;
      input_tokens: number;
      output_tokens: number;
      reasoning_tokens: number;
      /** @enum {string} */
      source?: "provider" | "counted";
    };
    /** @description The messages between a new device and one that lets it in: docs/device-approval.md */
    chats_Approval: {
      answer: string | null;
      closed: ("refused" | "done") | null;
      created_at: components["schemas"]["chats_Time"];
      expires_at: components["schemas"]["chats_Time"];
      hello: string | null;
      id: components["schemas"]["chats_Id"];
      reply: string | null;
      share: string;
    };
    /** @description The text of `{"v": "2", "key_id", "nonce", "ciphertext", "mac"}`: docs/encryption.md */
    chats_Envelope: string;
    /** @description A new head of the account, and the counter of the one that it replaces: docs/verified-history.md */
    chats_History: {
      counter: number;
      expected: number;
      sealed: string;
    };
    /** Format: uuid */
    chats_Id: string;
    chats_KeyChange: {
      epoch: number;
      key_id: components["schemas"]["chats_Id"];
      version: number;
    };
    chats_SavedChat: {
      bytes: number;
      created_at: components["schemas"]["chats_Time"];
      data_version: number;
      id: components["schemas"]["chats_Id"];
      is_starred: boolean;
      key_id: components["schemas"]["chats_Id"] | null;
      next_segment: number;
      updated_at: components["schemas"]["chats_Time"];
      version: number;
    };
    /** Format: date-time */
    chats_Time: string;
    chats_Wrap: {
      credential_id?: string;
      device_id?: components["schemas"]["chats_Id"];
      iterations?: number;
      /** @enum {string} */
      kind: "password" | "recovery" | "device" | "passkey" | "epoch";
      memory_kib?: number;
      name?: string;
      passes?: number;
      salt?: string;
      wrap: string;
    };
    cleanup_CleanupHealth: {
      enabled: boolean;
      job: string;
      last_error: string | null;
      last_outcome: string | null;
      last_report: unknown[] | null;
      last_success_at: string | null;
      next_run_at: string;
      overdue: boolean;
      running: boolean;
      schedule: string;
    };
    cleanup_CleanupResult: {
      batches?: number;
      bytes: number;
      error?: string;
      job: string;
      /** @enum {string} */
      outcome: "done" | "more" | "leased" | "disabled" | "failed" | "due";
      report?: unknown[];
      rows: number;
      run_id?: number | null;
    };
    cleanup_CleanupRun: {
      batches: number;
      bytes: number;
      ended_at: string | null;
      error: string | null;
      id: number;
      job: string;
      /** @enum {string} */
      outcome: "running" | "done" | "more" | "failed" | "interrupted";
      report: unknown[];
      rows: number;
      started_at: string;
    };
    conversations_Entry: {
      account_id: components["schemas"]["conversations_Id"];
      actor_id: components["schemas"]["conversations_Id"] | null;
      amount: number;
      balance_after: number;
      created_at: components["schemas"]["conversations_Time"];
      description: string | null;
      entry_no: number;
      items: components["schemas"]["conversations_PricedItem"][] | null;
      /** @enum {string} */
      kind: "grant" | "deduct" | "capture" | "refund" | "expire" | "void" | "repay" | "transfer";
      quantity: number | null;
      refund_of: number | null;
      sku: string | null;
      unit: string;
      unit_price: number | null;
    };
    /** Format: uuid */
    conversations_Id: string;
    conversations_Message: {
      author_id: components["schemas"]["conversations_Id"] | null;
      client_id: string | null;
      content: unknown;
      conversation_id: components["schemas"]["conversations_Id"] | null;
      created_at: components["schemas"]["conversations_Time"];
      hold_id: components["schemas"]["conversations_Id"] | null;
      id: components["schemas"]["conversations_Id"];
      metadata: {
        [key: string]: unknown;
      };
      object_data: unknown | null;
      project_id: components["schemas"]["conversations_Id"] | null;
      result_data: unknown | null;
      /** @enum {string} */
      role: "user" | "assistant" | "system";
      sequence_number: number | null;
      /** @enum {string} */
      status: "streaming" | "complete" | "aborted";
      updated_at: components["schemas"]["conversations_Time"];
      user_id: components["schemas"]["conversations_Id"] | null;
    };
    conversations_NewMessage: {
      /** @description Any JSON except null: for example a string, an object with text or value, or a list of such parts */
      content: string | number | boolean | {
        [key: string]: unknown;
      } | unknown[];
      /** @description Id that the caller may choose: a UUID, or 1 to 64 letters, digits, _ and -, which becomes the client_id. Sending the same message with the same id again saves nothing twice */
      id?: string;
      /** @description An object */
      metadata?: {
        [key: string]: unknown;
      };
      /** @description Any JSON */
      object_data?: unknown;
      /** @description Any JSON */
      result_data?: unknown;
      /**
       * @description user or assistant; a service can also use system
       * @enum {string}
       */
      role: "user" | "assistant" | "system";
      /** @description Position in the project, from 0. Default: the next one. A message in a conversation has none */
      sequence_number?: number;
      /**
       * @description complete (the default), or streaming for a draft
       * @enum {string}
       */
      status?: "complete" | "streaming";
    };
    conversations_PricedItem: {
      amount: number;
      quantity: number;
      sku: string;
      unit: string;
      unit_price: number;
    };
    conversations_SavedMessages: {
      entry: components["schemas"]["conversations_Entry"] | null;
      messages: components["schemas"]["conversations_Message"][];
    };
    /** Format: date-time */
    conversations_Time: string;
    /** @description Rounded half up to four decimals */
    credits_Amount: number;
    /** @description Rounded half up to four decimals; may be 0 */
    credits_ComputedAmount: number;
    credits_ComputedItems: {
      quantity: components["schemas"]["credits_ComputedAmount"];
      sku: string;
    }[];
    credits_Entry: {
      account_id: components["schemas"]["credits_Id"];
      actor_id: components["schemas"]["credits_Id"] | null;
      amount: number;
      balance_after: number;
      created_at: components["schemas"]["credits_Time"];
      description: string | null;
      entry_no: number;
      items: components["schemas"]["credits_PricedItem"][] | null;
      /** @enum {string} */
      kind: "grant" | "deduct" | "capture" | "refund" | "expire" | "void" | "repay" | "transfer";
      quantity: number | null;
      refund_of: number | null;
      sku: string | null;
      unit: string;
      unit_price: number | null;
    };
    credits_Grant: {
      account_id: components["schemas"]["credits_Id"];
      amount: number;
      /** @enum {string} */
      category: "paid" | "promotional";
      cost_basis: number | null;
      created_at: components["schemas"]["credits_Time"];
      currency: string | null;
      description: string | null;
      effective_at: components["schemas"]["credits_Time"];
      expires_at: components["schemas"]["credits_Time"] | null;
      external_reference: string | null;
      held: number;
      id: components["schemas"]["credits_Id"];
      priority: number;
      remaining: number;
      skus: string[] | null;
      source: string;
      /** @enum {string} */
      status: "pending" | "active" | "expired" | "voided";
      unit: string;
      void_reason: string | null;
      voided_at: components["schemas"]["credits_Time"] | null;
      voided_by: string | null;
    };
    credits_Hold: {
      account_id: components["schemas"]["credits_Id"];
      actor_id: components["schemas"]["credits_Id"] | null;
      amount: number;
      captured: number | null;
      created_at: components["schemas"]["credits_Time"];
      description: string | null;
      entry_no: number | null;
      expires_at: components["schemas"]["credits_Time"];
      id: components["schemas"]["credits_Id"];
      items: {
        quantity: number;
        sku: string;
      }[] | null;
      resolved_at: components["schemas"]["credits_Time"] | null;
      /** @enum {string} */
      status: "held" | "captured" | "released" | "expired";
      unit: string;
    };
    /** Format: uuid */
    credits_Id: string;
    credits_Items: {
      quantity: components["schemas"]["credits_Quantity"];
      sku: string;
    }[];
    credits_PricedItem: {
      amount: number;
      quantity: number;
      sku: string;
      unit: string;
      unit_price: number;
    };
    credits_Quantity: number;
    /** Format: date-time */
    credits_Time: string;
    /** @description A unit of the table credit_units; credits if it is left out */
    credits_Unit: string;
    files_File: {
      bucket: string;
      chat_id: components["schemas"]["files_Id"] | null;
      content_type: string;
      id: components["schemas"]["files_Id"];
      name: string;
      path: string;
      project_id: components["schemas"]["files_Id"] | null;
      size: number;
    };
    /** Format: uuid */
    files_Id: string;
    files_Upload: {
      bucket: string;
      content_type: string;
      /** Format: date-time */
      expires_at: string;
      id: components["schemas"]["files_Id"];
      path: string;
      token: string;
      upload_path: string;
      /** Format: uri */
      url: string;
    };
    keys_ApiKey: {
      created_at: components["schemas"]["keys_Time"];
      expires_at: components["schemas"]["keys_Time"] | null;
      id: components["schemas"]["keys_Id"];
      is_active: boolean;
      key_prefix: string;
      last_used_at: components["schemas"]["keys_Time"] | null;
      name: string;
      permissions: string[];
      updated_at: components["schemas"]["keys_Time"];
    };
    /** Format: uuid */
    keys_Id: string;
    /** Format: date-time */
    keys_Time: string;
    projects_Entry: {
      account_id: components["schemas"]["projects_Id"];
      actor_id: components["schemas"]["projects_Id"] | null;
      amount: number;
      balance_after: number;
      created_at: components["schemas"]["projects_Time"];
      description: string | null;
      entry_no: number;
      items: components["schemas"]["projects_PricedItem"][] | null;
      /** @enum {string} */
      kind: "grant" | "deduct" | "capture" | "refund" | "expire" | "void" | "repay" | "transfer";
      quantity: number | null;
      refund_of: number | null;
      sku: string | null;
      unit: string;
      unit_price: number | null;
    };
    /** Format: uuid */
    projects_Id: string;
    projects_Message: {
      author_id: components["schemas"]["projects_Id"] | null;
      client_id: string | null;
      content: unknown;
      conversation_id: components["schemas"]["projects_Id"] | null;
      created_at: components["schemas"]["projects_Time"];
      hold_id: components["schemas"]["projects_Id"] | null;
      id: components["schemas"]["projects_Id"];
      metadata: {
        [key: string]: unknown;
      };
      object_data: unknown | null;
      project_id: components["schemas"]["projects_Id"] | null;
      result_data: unknown | null;
      /** @enum {string} */
      role: "user" | "assistant" | "system";
      sequence_number: number | null;
      /** @enum {string} */
      status: "streaming" | "complete" | "aborted";
      updated_at: components["schemas"]["projects_Time"];
      user_id: components["schemas"]["projects_Id"] | null;
    };
    projects_NewMessage: {
      /** @description Any JSON except null: for example a string, an object with text or value, or a list of such parts */
      content: string | number | boolean | {
        [key: string]: unknown;
      } | unknown[];
      /** @description Id that the caller may choose: a UUID, or 1 to 64 letters, digits, _ and -, which becomes the client_id. Sending the same message with the same id again saves nothing twice */
      id?: string;
      /** @description An object */
      metadata?: {
        [key: string]: unknown;
      };
      /** @description Any JSON */
      object_data?: unknown;
      /** @description Any JSON */
      result_data?: unknown;
      /**
       * @description user or assistant; a service can also use system
       * @enum {string}
       */
      role: "user" | "assistant" | "system";
      /** @description Position in the project, from 0. Default: the next one. A message in a conversation has none */
      sequence_number?: number;
      /**
       * @description complete (the default), or streaming for a draft
       * @enum {string}
       */
      status?: "complete" | "streaming";
    };
    projects_PricedItem: {
      amount: number;
      quantity: number;
      sku: string;
      unit: string;
      unit_price: number;
    };
    projects_Project: {
      created_at: components["schemas"]["projects_Time"];
      deleted_at: components["schemas"]["projects_Time"] | null;
      description: string | null;
      id: components["schemas"]["projects_Id"];
      is_archived: boolean;
      is_public: boolean;
      /** @enum {string} */
      message_editing: "author" | "members";
      metadata: {
        [key: string]: unknown;
      };
      /** @enum {string} */
      status: "active" | "archived" | "deleted" | "cloning";
      system_prompt: string | null;
      team_id: components["schemas"]["projects_Id"] | null;
      template_id: string | null;
      title: string;
      updated_at: components["schemas"]["projects_Time"];
      user_id: components["schemas"]["projects_Id"];
    };
    projects_ProjectChange: {
      files: number;
      messages: number;
      project: components["schemas"]["projects_Project"];
    };
    projects_ProjectClone: {
      code: string | null;
      files: number;
      finished_at: components["schemas"]["projects_Time"] | null;
      id: components["schemas"]["projects_Id"];
      messages: number;
      project: components["schemas"]["projects_Project"] | null;
      source_id: components["schemas"]["projects_Id"];
      started_at: components["schemas"]["projects_Time"];
      /** @enum {string} */
      status: "copying" | "complete" | "failed";
      total_files: number;
      total_messages: number;
    };
    projects_SavedMessages: {
      entry: components["schemas"]["projects_Entry"] | null;
      messages: components["schemas"]["projects_Message"][];
    };
    /** Format: date-time */
    projects_Time: string;
    Routes: {
      /** @description Delete the account */
      "DELETE /account": {
        answer: components["schemas"]["account_AccountDeletion"];
        /** @enum {string} */
        code:
          | "account_has_subscription"
          | "credentials_missing"
          | "database_timeout"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_token"
          | "permission_missing"
          | "reauthentication_needed"
          | "signing_keys_missing"
          | "team_has_subscription"
          | "token_expired"
          | "too_many_requests"
          | "try_again"
          | "user_not_found";
        user: Record<string, never>;
      };
      /** @description Cancel or remove the newest export */
      "DELETE /account/export": {
        answer: components["schemas"]["account_AccountExport"];
        /** @enum {string} */
        code:
          | "credentials_missing"
          | "database_timeout"
          | "export_not_found"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_token"
          | "permission_missing"
          | "signing_keys_missing"
          | "token_expired"
          | "too_many_requests"
          | "try_again";
        user: Record<string, never>;
      };
      /** @description Delete a chat */
      "DELETE /chats/{id}": {
        answer: {
          /** @constant */
          deleted: true;
          id: components["schemas"]["chats_Id"];
          proven?: boolean;
        };
        /** @enum {string} */
        code:
          | "body_incomplete"
          | "body_too_large"
          | "chat_not_found"
          | "credentials_missing"
          | "database_timeout"
          | "history_conflict"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_history"
          | "invalid_json"
          | "invalid_request"
          | "invalid_token"
          | "invalid_value"
          | "key_epoch_old"
          | "nested_too_deep"
          | "permission_missing"
          | "signing_keys_missing"
          | "token_expired"
          | "too_many_requests"
          | "try_again"
          | "user_not_found"
          | "version_conflict";
        user: {
          history?: components["schemas"]["chats_History"];
        } & {
          expected_version?: string | number;
        };
      };
      /** @description Revoke a device or a passkey */
      "DELETE /chats/keys/devices/{device_id}": {
        answer: components["schemas"]["chats_KeyChange"];
        /** @enum {string} */
        code:
          | "credentials_missing"
          | "database_timeout"
          | "device_not_found"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_request"
          | "invalid_token"
          | "permission_missing"
          | "signing_keys_missing"
          | "token_expired"
          | "too_many_requests"
          | "try_again"
          | "user_not_found";
        user: Record<string, never>;
      };
      /** @description Delete files */
      "DELETE /files": {
        answer: {
          deleted: string[];
          not_found: string[];
        };
        /** @enum {string} */
        code:
          | "body_incomplete"
          | "body_too_large"
          | "bucket_not_found"
          | "credentials_missing"
          | "database_timeout"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_json"
          | "invalid_request"
          | "invalid_token"
          | "invalid_value"
          | "nested_too_deep"
          | "permission_missing"
          | "signing_keys_missing"
          | "token_expired"
          | "too_many_requests"
          | "try_again";
        service: {
          bucket: string;
          paths: string[];
          user_id: components["schemas"]["files_Id"];
        };
        user: {
          bucket: string;
          paths: string[];
        };
      };
      /** @description Delete an API key */
      "DELETE /keys/{id}": {
        answer: components["schemas"]["keys_ApiKey"];
        /** @enum {string} */
        code:
          | "credentials_missing"
          | "database_timeout"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_token"
          | "key_not_found"
          | "permission_missing"
          | "signing_keys_missing"
          | "token_expired"
          | "too_many_requests"
          | "try_again";
        user: Record<string, never>;
      };
      /** @description Delete a project */
      "DELETE /projects/{id}": {
        answer: components["schemas"]["projects_ProjectChange"];
        /** @enum {string} */
        code:
          | "credentials_missing"
          | "database_timeout"
          | "idempotency_key_reused"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_idempotency_key"
          | "invalid_request"
          | "invalid_token"
          | "not_project_owner"
          | "permission_missing"
          | "project_cloning"
          | "project_not_found"
          | "project_read_only"
          | "signing_keys_missing"
          | "token_expired"
          | "too_many_requests"
          | "try_again";
        service: {
          permanent?: ("true" | "false") | boolean;
          user_id?: components["schemas"]["projects_Id"];
        };
        user: {
          permanent?: ("true" | "false") | boolean;
        };
      };
      /** @description Delete a team */
      "DELETE /teams/{id}": {
        answer: components["schemas"]["teams_TeamChange"];
        /** @enum {string} */
        code:
          | "credentials_missing"
          | "database_timeout"
          | "idempotency_key_reused"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_idempotency_key"
          | "invalid_request"
          | "invalid_token"
          | "not_team_owner"
          | "permission_missing"
          | "signing_keys_missing"
          | "team_has_holds"
          | "team_has_subscription"
          | "team_not_found"
          | "token_expired"
          | "too_many_requests"
          | "try_again";
        service: {
          delete_projects?: ("true" | "false") | boolean;
          user_id?: components["schemas"]["teams_Id"];
        };
        user: {
          delete_projects?: ("true" | "false") | boolean;
        };
      };
      /** @description Revoke an invitation */
      "DELETE /teams/invitations/{id}": {
        answer: components["schemas"]["teams_Invitation"];
        /** @enum {string} */
        code:
          | "credentials_missing"
          | "database_timeout"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_request"
          | "invalid_token"
          | "invitation_answered"
          | "invitation_not_found"
          | "not_team_admin"
          | "not_team_owner"
          | "permission_missing"
          | "signing_keys_missing"
          | "team_not_found"
          | "token_expired"
          | "too_many_requests"
          | "try_again";
        service: {
          user_id?: components["schemas"]["teams_Id"];
        };
        user: Record<string, never>;
      };
      /** @description Get the state of the account */
      "GET /account": {
        answer: components["schemas"]["account_AccountDeletion"];
        /** @enum {string} */
        code:
          | "credentials_missing"
          | "database_timeout"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_token"
          | "permission_missing"
          | "signing_keys_missing"
          | "token_expired"
          | "try_again"
          | "user_not_found";
        user: Record<string, never>;
      };
      /** @description Get the newest export */
      "GET /account/export": {
        answer: {
          bytes: number;
          created_at: components["schemas"]["account_Time"];
          ended_at: components["schemas"]["account_Time"] | null;
          expires_at: components["schemas"]["account_Time"] | null;
          files: number;
          files_missing: number;
          id: components["schemas"]["account_Id"];
          next_after: number | null;
          parts: {
            bucket: string | null;
            bytes: number;
            /** @enum {string} */
            kind: "file" | "rows" | "manifest";
            name: string;
            number: number;
            path: string | null;
            rows: number | null;
            sha256: string | null;
            url: string | null;
          }[];
          progress: number;
          rows: number;
          /** @enum {string} */
          state: "queued" | "running" | "done" | "failed" | "cancelled" | "expired";
          tables: {
            [key: string]: number;
          };
        };
        /** @enum {string} */
        code:
          | "content_type_not_allowed"
          | "credentials_missing"
          | "database_timeout"
          | "export_not_found"
          | "file_too_large"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_token"
          | "object_exists"
          | "object_not_found"
          | "permission_missing"
          | "signing_keys_missing"
          | "storage_forbidden"
          | "storage_refused"
          | "storage_unavailable"
          | "token_expired"
          | "try_again";
        user: {
          after?: string | number;
          limit?: string | number;
        };
      };
      /** @description Follow an answer */
      "GET /answers/{id}/stream": {
        answer: unknown;
        /** @enum {string} */
        code:
          | "credentials_missing"
          | "database_timeout"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_request"
          | "invalid_token"
          | "permission_missing"
          | "signing_keys_missing"
          | "token_expired"
          | "too_many_requests"
          | "try_again";
        user: Record<string, never>;
      };
      /** @description Read a chat */
      "GET /chats/{id}": {
        answer: {
          bytes: number;
          created_at: components["schemas"]["chats_Time"];
          custom_name: string | null;
          data_version: number;
          encrypted_data: components["schemas"]["chats_Envelope"] | null;
          encrypted_title: components["schemas"]["chats_Envelope"] | null;
          has_more: boolean;
          head: string | null;
          id: components["schemas"]["chats_Id"];
          image_paths: string[] | null;
          is_starred: boolean;
          next_segment: number;
          segments: {
            encrypted_data: components["schemas"]["chats_Envelope"];
            number: number;
          }[];
          title: string | null;
          updated_at: components["schemas"]["chats_Time"];
          version: number;
        };
        /** @enum {string} */
        code:
          | "chat_not_found"
          | "credentials_missing"
          | "database_timeout"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_request"
          | "invalid_token"
          | "permission_missing"
          | "signing_keys_missing"
          | "token_expired"
          | "try_again";
        user: {
          from_segment?: string | number;
          known_data_version?: string | number;
        };
      };
      /** @description List approvals of new devices */
      "GET /chats/approvals": {
        answer: {
          approvals: components["schemas"]["chats_Approval"][];
        };
        /** @enum {string} */
        code:
          | "credentials_missing"
          | "database_timeout"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_token"
          | "permission_missing"
          | "signing_keys_missing"
          | "token_expired"
          | "try_again";
        user: Record<string, never>;
      };
      /** @description Read the wrapped keys */
      "GET /chats/keys": {
        answer: {
          epoch: number | null;
          key_id: components["schemas"]["chats_Id"] | null;
          keys: {
            created_at: components["schemas"]["chats_Time"];
            envelopes: number;
            epoch: number;
            id: components["schemas"]["chats_Id"];
            wraps: {
              created_at: components["schemas"]["chats_Time"];
              credential_id?: string;
              device_id?: components["schemas"]["chats_Id"];
              iterations?: number;
              /** @enum {string} */
              kind: "password" | "recovery" | "device" | "passkey" | "epoch";
              last_used_at?: components["schemas"]["chats_Time"];
              memory_kib?: number;
              name?: string;
              passes?: number;
              salt?: string;
              wrap: string;
              wrapped_by?: components["schemas"]["chats_Id"];
            }[];
          }[];
          legacy_envelopes: number;
          proof_number: number | null;
          version: number;
        };
        /** @enum {string} */
        code:
          | "credentials_missing"
          | "database_timeout"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_token"
          | "permission_missing"
          | "signing_keys_missing"
          | "token_expired"
          | "try_again";
        user: Record<string, never>;
      };
      /** @description List wraps that were replaced */
      "GET /chats/keys/replaced": {
        answer: {
          keys: {
            created_at: components["schemas"]["chats_Time"];
            id: components["schemas"]["chats_Id"];
            is_current: boolean;
            kept_until: components["schemas"]["chats_Time"];
            key_id: components["schemas"]["chats_Id"];
            /** @enum {string} */
            kind: "password" | "recovery";
            replaced_at: components["schemas"]["chats_Time"];
          }[];
        };
        /** @enum {string} */
        code:
          | "credentials_missing"
          | "database_timeout"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_token"
          | "permission_missing"
          | "signing_keys_missing"
          | "token_expired"
          | "try_again";
        user: Record<string, never>;
      };
      /** @description Read a wrap that was replaced */
      "GET /chats/keys/replaced/{id}": {
        answer: {
          created_at: components["schemas"]["chats_Time"];
          id: components["schemas"]["chats_Id"];
          iterations: number | null;
          key_id: components["schemas"]["chats_Id"];
          /** @enum {string} */
          kind: "password" | "recovery";
          memory_kib: number | null;
          passes: number | null;
          salt: string | null;
          wrap: string;
        };
        /** @enum {string} */
        code:
          | "credentials_missing"
          | "database_timeout"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_request"
          | "invalid_token"
          | "permission_missing"
          | "reauthentication_needed"
          | "replaced_key_not_found"
          | "signing_keys_missing"
          | "token_expired"
          | "try_again";
        user: Record<string, never>;
      };
      /** @description The state of the jobs */
      "GET /cleanup": {
        answer: {
          jobs: components["schemas"]["cleanup_CleanupHealth"][];
        };
        /** @enum {string} */
        code:
          | "credentials_missing"
          | "database_timeout"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_token"
          | "permission_missing"
          | "secret_key_missing"
          | "token_expired"
          | "try_again";
        service: Record<string, never>;
      };
      /** @description The history of runs */
      "GET /cleanup/runs": {
        answer: {
          next_before: number | null;
          runs: components["schemas"]["cleanup_CleanupRun"][];
        };
        /** @enum {string} */
        code:
          | "cleanup_job_not_found"
          | "credentials_missing"
          | "database_timeout"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_request"
          | "invalid_token"
          | "permission_missing"
          | "secret_key_missing"
          | "token_expired"
          | "try_again";
        service: {
          before?: string | number;
          job?: string;
          limit?: string | number;
        };
      };
      /** @description The balance of a user or a team */
      "GET /credits": {
        answer: {
          account_id: components["schemas"]["credits_Id"] | null;
          available: number;
          balance: number;
          held: number;
          overdraft_limit: number;
          scoped: number;
          team_id?: components["schemas"]["credits_Id"];
          unit?: string;
          updated_at: components["schemas"]["credits_Time"] | null;
          user_id?: components["schemas"]["credits_Id"];
        };
        /** @enum {string} */
        code:
          | "account_not_found"
          | "credentials_missing"
          | "database_timeout"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_request"
          | "invalid_token"
          | "permission_missing"
          | "signing_keys_missing"
          | "token_expired"
          | "try_again"
          | "unknown_unit";
        service: {
          team_id?: components["schemas"]["credits_Id"];
          unit?: components["schemas"]["credits_Unit"];
          user_id?: components["schemas"]["credits_Id"];
        };
        user: {
          team_id?: components["schemas"]["credits_Id"];
          unit?: components["schemas"]["credits_Unit"];
        };
      };
      /** @description The statement of a month */
      "GET /credits/statement": {
        answer: {
          account_id: components["schemas"]["credits_Id"];
          charged: number;
          closing_balance: number;
          entries: {
            /** @enum {string} */
            actor: "user" | "service" | "system";
            actor_id: components["schemas"]["credits_Id"] | null;
            amount: number;
            balance_after: number;
            counterpart: {
              account_id: components["schemas"]["credits_Id"];
              entry_no: number;
            } | null;
            created_at: components["schemas"]["credits_Time"];
            description: string | null;
            entry_no: number;
            items: components["schemas"]["credits_PricedItem"][] | null;
            /** @enum {string} */
            kind:
              | "grant"
              | "deduct"
              | "capture"
              | "refund"
              | "expire"
              | "void"
              | "repay"
              | "transfer";
            quantity: number | null;
            refund_of: number | null;
            sku: string | null;
            unit_price: number | null;
          }[];
          entry_count: number;
          expired: number;
          granted: number;
          month: string;
          next_after: number | null;
          opening_balance: number;
          refunded: number;
          transferred: number;
          unit: string;
          voided: number;
        };
        /** @enum {string} */
        code:
          | "account_not_found"
          | "credentials_missing"
          | "database_timeout"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_request"
          | "invalid_statement"
          | "invalid_token"
          | "not_team_admin"
          | "permission_missing"
          | "signing_keys_missing"
          | "token_expired"
          | "too_many_requests"
          | "try_again"
          | "unknown_unit";
        service: {
          after?: string;
          limit?: string | number;
          month: string;
          team_id?: components["schemas"]["credits_Id"];
          unit?: components["schemas"]["credits_Unit"];
          user_id?: components["schemas"]["credits_Id"];
        };
        user: {
          after?: string;
          limit?: string | number;
          month: string;
          team_id?: components["schemas"]["credits_Id"];
          unit?: components["schemas"]["credits_Unit"];
        };
      };
      /** @description The user's storage usage */
      "GET /files/usage": {
        answer: {
          allowed: number;
          buckets: {
            allowed: number | null;
            bucket: string;
            reserved: number;
            used: number;
          }[];
          reserved: number;
          used: number;
        };
        /** @enum {string} */
        code:
          | "credentials_missing"
          | "database_timeout"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_request"
          | "invalid_token"
          | "permission_missing"
          | "signing_keys_missing"
          | "token_expired"
          | "try_again";
        service: {
          user_id?: components["schemas"]["files_Id"];
        };
        user: Record<string, never>;
      };
      /** @description List your API keys */
      "GET /keys": {
        answer: {
          keys: components["schemas"]["keys_ApiKey"][];
        };
        /** @enum {string} */
        code:
          | "credentials_missing"
          | "database_timeout"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_token"
          | "permission_missing"
          | "signing_keys_missing"
          | "token_expired"
          | "try_again";
        user: Record<string, never>;
      };
      /** @description Read how far a clone has come */
      "GET /projects/clones/{id}": {
        answer: components["schemas"]["projects_ProjectClone"];
        /** @enum {string} */
        code:
          | "clone_not_found"
          | "credentials_missing"
          | "database_timeout"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_request"
          | "invalid_token"
          | "permission_missing"
          | "signing_keys_missing"
          | "token_expired"
          | "try_again";
        service: {
          user_id?: components["schemas"]["projects_Id"];
        };
        user: Record<string, never>;
      };
      /** @description Star or rename a chat */
      "PATCH /chats/{id}": {
        answer: components["schemas"]["chats_SavedChat"];
        /** @enum {string} */
        code:
          | "body_incomplete"
          | "body_too_large"
          | "chat_deleted"
          | "chat_not_found"
          | "chat_quota_exceeded"
          | "credentials_missing"
          | "database_timeout"
          | "envelope_base64_invalid"
          | "envelope_key_unknown"
          | "envelope_mac_invalid"
          | "envelope_malformed"
          | "envelope_nonce_invalid"
          | "envelope_too_large"
          | "envelope_version_unknown"
          | "history_conflict"
          | "idempotency_key_reused"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_head"
          | "invalid_history"
          | "invalid_idempotency_key"
          | "invalid_json"
          | "invalid_request"
          | "invalid_token"
          | "invalid_value"
          | "key_epoch_old"
          | "nested_too_deep"
          | "nonce_reused"
          | "permission_missing"
          | "signing_keys_missing"
          | "token_expired"
          | "too_many_requests"
          | "try_again"
          | "user_not_found"
          | "version_conflict";
        user: {
          encrypted_title?: components["schemas"]["chats_Envelope"];
          expected_version: number;
          head?: string;
          history?: components["schemas"]["chats_History"];
          is_starred?: boolean;
        };
      };
      /** @description Send a message of an approval, or close it */
      "PATCH /chats/approvals/{approval_id}": {
        answer: components["schemas"]["chats_Approval"];
        /** @enum {string} */
        code:
          | "approval_closed"
          | "approval_expired"
          | "approval_not_found"
          | "approval_out_of_turn"
          | "body_incomplete"
          | "body_too_large"
          | "credentials_missing"
          | "database_timeout"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_approval"
          | "invalid_json"
          | "invalid_request"
          | "invalid_token"
          | "invalid_value"
          | "nested_too_deep"
          | "permission_missing"
          | "signing_keys_missing"
          | "token_expired"
          | "too_many_requests"
          | "try_again"
          | "user_not_found";
        user: {
          answer?: string;
          /** @enum {string} */
          closed?: "refused" | "done";
          hello?: string;
          reply?: string;
        };
      };
      /** @description Replace the content of a draft */
      "PATCH /conversations/{id}/messages/{message_id}": {
        answer: components["schemas"]["conversations_Message"];
        /** @enum {string} */
        code:
          | "body_incomplete"
          | "body_too_large"
          | "content_missing"
          | "content_too_large"
          | "conversation_not_found"
          | "credentials_missing"
          | "database_timeout"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_json"
          | "invalid_request"
          | "invalid_token"
          | "invalid_value"
          | "message_finished"
          | "message_not_found"
          | "nested_too_deep"
          | "permission_missing"
          | "signing_keys_missing"
          | "system_message"
          | "token_expired"
          | "too_many_bytes"
          | "too_many_requests"
          | "try_again";
        service: {
          /** @description Any JSON except null: for example a string, an object with text or value, or a list of such parts */
          content?: string | number | boolean | {
            [key: string]: unknown;
          } | unknown[];
          user_id: components["schemas"]["conversations_Id"];
        };
        user: {
          /** @description Any JSON except null: for example a string, an object with text or value, or a list of such parts */
          content?: string | number | boolean | {
            [key: string]: unknown;
          } | unknown[];
        };
      };
      /** @description Change, disable or enable an API key */
      "PATCH /keys/{id}": {
        answer: components["schemas"]["keys_ApiKey"];
        /** @enum {string} */
        code:
          | "body_incomplete"
          | "body_too_large"
          | "credentials_missing"
          | "database_timeout"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_json"
          | "invalid_request"
          | "invalid_token"
          | "invalid_value"
          | "key_not_found"
          | "nested_too_deep"
          | "permission_missing"
          | "signing_keys_missing"
          | "token_expired"
          | "too_many_requests"
          | "try_again";
        user: {
          expires_at?: components["schemas"]["keys_Time"] | null;
          is_active?: boolean;
          name?: string;
          permissions?: (
            | "credits:read"
            | "credits:write"
            | "messages:write"
            | "answers:write"
            | "projects:write"
            | "files:read"
            | "files:write"
          )[];
        };
      };
      /** @description Replace the content of a draft */
      "PATCH /projects/{id}/messages/{message_id}": {
        answer: components["schemas"]["projects_Message"];
        /** @enum {string} */
        code:
          | "body_incomplete"
          | "body_too_large"
          | "content_missing"
          | "content_too_large"
          | "credentials_missing"
          | "database_timeout"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_json"
          | "invalid_request"
          | "invalid_token"
          | "invalid_value"
          | "message_finished"
          | "message_not_found"
          | "nested_too_deep"
          | "not_message_author"
          | "permission_missing"
          | "project_cloning"
          | "project_deleted"
          | "project_not_found"
          | "project_read_only"
          | "signing_keys_missing"
          | "system_message"
          | "token_expired"
          | "too_many_bytes"
          | "too_many_requests"
          | "try_again";
        service: {
          /** @description Any JSON except null: for example a string, an object with text or value, or a list of such parts */
          content?: string | number | boolean | {
            [key: string]: unknown;
          } | unknown[];
          user_id: components["schemas"]["projects_Id"];
        };
        user: {
          /** @description Any JSON except null: for example a string, an object with text or value, or a list of such parts */
          content?: string | number | boolean | {
            [key: string]: unknown;
          } | unknown[];
        };
      };
      /** @description Start an export */
      "POST /account/export": {
        answer: components["schemas"]["account_AccountExport"];
        /** @enum {string} */
        code:
          | "credentials_missing"
          | "database_timeout"
          | "export_in_progress"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_token"
          | "permission_missing"
          | "signing_keys_missing"
          | "token_expired"
          | "too_many_exports"
          | "too_many_requests"
          | "try_again"
          | "user_not_found";
        user: Record<string, never>;
      };
      /** @description Cancel the deletion of the account */
      "POST /account/restore": {
        answer: components["schemas"]["account_AccountDeletion"];
        /** @enum {string} */
        code:
          | "credentials_missing"
          | "database_timeout"
          | "deletion_begun"
          | "deletion_not_found"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_token"
          | "permission_missing"
          | "signing_keys_missing"
          | "token_expired"
          | "too_many_requests"
          | "try_again";
        user: Record<string, never>;
      };
      /** @description Ask a model */
      "POST /answers": {
        answer: components["schemas"]["answers_EndedAnswer"];
        /** @enum {string} */
        code:
          | "account_not_found"
          | "answer_deleted"
          | "answer_running"
          | "approval_changed"
          | "approval_not_pending"
          | "body_incomplete"
          | "body_too_large"
          | "content_missing"
          | "content_too_large"
          | "context_exceeded"
          | "conversation_id_used"
          | "conversation_not_found"
          | "credentials_missing"
          | "database_timeout"
          | "file_not_found"
          | "file_too_large"
          | "file_type_mismatch"
          | "file_type_not_supported"
          | "idempotency_key_reused"
          | "insufficient_credits"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_approval"
          | "invalid_conversation_id"
          | "invalid_idempotency_key"
          | "invalid_json"
          | "invalid_message"
          | "invalid_message_id"
          | "invalid_output_limit"
          | "invalid_request"
          | "invalid_role"
          | "invalid_token"
          | "invalid_value"
          | "member_limit_exceeded"
          | "message_id_used"
          | "message_missing"
          | "message_not_found"
          | "model_cannot"
          | "model_misconfigured"
          | "model_not_allowed"
          | "nested_too_deep"
          | "not_message_author"
          | "nothing_to_answer"
          | "permission_missing"
          | "project_cloning"
          | "project_deleted"
          | "project_not_found"
          | "project_read_only"
          | "provider_interrupted"
          | "provider_refused"
          | "provider_silent"
          | "provider_unavailable"
          | "server_error"
          | "session_required"
          | "signing_keys_missing"
          | "storage_unavailable"
          | "system_message"
          | "token_expired"
          | "too_many_answers"
          | "too_many_bytes"
          | "too_many_files"
          | "too_many_holds"
          | "too_many_messages"
          | "too_many_requests"
          | "too_many_rows"
          | "tool_output_missing"
          | "try_again"
          | "unknown_model"
          | "unknown_tool"
          | "user_not_found";
        user: {
          conversation_id?: string;
          id?: string;
          message?: string | {
            content?: unknown;
            id?: string;
            metadata?: {
              [key: string]: unknown;
            };
            parts?: unknown[];
            /** @enum {string} */
            role?: "user" | "assistant";
          };
          messageId?: string;
          messages?: {
            [key: string]: unknown;
          }[];
          model?: string;
          parameters?: components["schemas"]["answers_AnswerParameters"];
          project_id?: components["schemas"]["answers_Id"];
          /** @enum {string} */
          trigger?: "submit-message" | "regenerate-message";
        };
      };
      /** @description Stop an answer */
      "POST /answers/{id}/stop": {
        answer: components["schemas"]["answers_EndedAnswer"];
        /** @enum {string} */
        code:
          | "answer_not_found"
          | "credentials_missing"
          | "database_timeout"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_request"
          | "invalid_token"
          | "permission_missing"
          | "signing_keys_missing"
          | "token_expired"
          | "too_many_requests"
          | "try_again";
        user: Record<string, never>;
      };
      /** @description Ask a model without storing what is said */
      "POST /answers/ephemeral": {
        answer: {
          answer: components["schemas"]["answers_Answer"];
          entry: components["schemas"]["answers_Entry"] | null;
          message: components["schemas"]["answers_Message"] | null;
          text: string;
        };
        /** @enum {string} */
        code:
          | "account_not_found"
          | "body_incomplete"
          | "body_too_large"
          | "context_exceeded"
          | "credentials_missing"
          | "database_timeout"
          | "file_not_found"
          | "file_too_large"
          | "file_type_mismatch"
          | "file_type_not_supported"
          | "insufficient_credits"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_json"
          | "invalid_output_limit"
          | "invalid_request"
          | "invalid_token"
          | "invalid_value"
          | "member_limit_exceeded"
          | "model_cannot"
          | "model_misconfigured"
          | "model_not_allowed"
          | "nested_too_deep"
          | "permission_missing"
          | "provider_interrupted"
          | "provider_refused"
          | "provider_silent"
          | "provider_unavailable"
          | "server_error"
          | "session_required"
          | "signing_keys_missing"
          | "storage_unavailable"
          | "token_expired"
          | "too_many_answers"
          | "too_many_files"
          | "too_many_holds"
          | "too_many_requests"
          | "try_again"
          | "unknown_model"
          | "user_not_found";
        user: {
          id?: string;
          messageId?: string;
          messages: ({
            /** @enum {string} */
            role: "system" | "user" | "assistant";
          } & {
            [key: string]: unknown;
          })[];
          model?: string;
          parameters?: {
            frequency_penalty?: number;
            max_output_tokens?: number;
            presence_penalty?: number;
            prompt_cache_key?: string;
            reasoning_effort?: string;
            response_format?: {
              /** @enum {string} */
              type: "text" | "json_object" | "json_schema";
            } & {
              [key: string]: unknown;
            };
            seed?: number;
            stop?: string[];
            temperature?: number;
            tool_choice?: string;
            tools?: {
              description?: string;
              name: string;
              parameters?: {
                [key: string]: unknown;
              };
            }[];
            top_p?: number;
          };
          trigger?: string;
        };
      };
      /** @description Reserve the upload of an attachment */
      "POST /chats/{id}/attachments": {
        answer: {
          /** @constant */
          bucket: "chat-images";
          content_type: string;
          /** Format: date-time */
          expires_at: string;
          id: components["schemas"]["chats_Id"];
          path: string;
          token: string;
          upload_path: string;
          /** Format: uri */
          url: string;
        };
        /** @enum {string} */
        code:
          | "body_incomplete"
          | "body_too_large"
          | "chat_not_found"
          | "content_type_not_allowed"
          | "credentials_missing"
          | "database_timeout"
          | "file_too_large"
          | "idempotency_key_reused"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_idempotency_key"
          | "invalid_json"
          | "invalid_request"
          | "invalid_size"
          | "invalid_token"
          | "invalid_value"
          | "nested_too_deep"
          | "object_exists"
          | "object_not_found"
          | "permission_missing"
          | "signing_keys_missing"
          | "storage_forbidden"
          | "storage_quota_exceeded"
          | "storage_refused"
          | "storage_unavailable"
          | "token_expired"
          | "too_many_bytes"
          | "too_many_requests"
          | "too_many_rows"
          | "too_many_uploads"
          | "try_again"
          | "upload_already_complete"
          | "upload_expired"
          | "user_not_found";
        user: {
          size: number;
        };
      };
      /** @description Append a segment to a chat */
      "POST /chats/{id}/segments": {
        answer: components["schemas"]["chats_SavedChat"];
        /** @enum {string} */
        code:
          | "body_incomplete"
          | "body_too_large"
          | "chat_deleted"
          | "chat_not_found"
          | "chat_quota_exceeded"
          | "credentials_missing"
          | "database_timeout"
          | "envelope_base64_invalid"
          | "envelope_key_unknown"
          | "envelope_mac_invalid"
          | "envelope_malformed"
          | "envelope_nonce_invalid"
          | "envelope_too_large"
          | "envelope_version_unknown"
          | "history_conflict"
          | "idempotency_key_reused"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_head"
          | "invalid_history"
          | "invalid_idempotency_key"
          | "invalid_json"
          | "invalid_request"
          | "invalid_segment_number"
          | "invalid_token"
          | "invalid_value"
          | "key_epoch_old"
          | "nested_too_deep"
          | "nonce_reused"
          | "permission_missing"
          | "signing_keys_missing"
          | "token_expired"
          | "too_many_requests"
          | "try_again"
          | "user_not_found"
          | "version_conflict";
        user: {
          encrypted_data: components["schemas"]["chats_Envelope"];
          expected_version: number;
          head?: string;
          history?: components["schemas"]["chats_History"];
          number: number;
        };
      };
      /** @description Begin an approval */
      "POST /chats/approvals": {
        answer: components["schemas"]["chats_Approval"];
        /** @enum {string} */
        code:
          | "approval_id_used"
          | "body_incomplete"
          | "body_too_large"
          | "credentials_missing"
          | "database_timeout"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_approval"
          | "invalid_json"
          | "invalid_request"
          | "invalid_token"
          | "invalid_value"
          | "nested_too_deep"
          | "permission_missing"
          | "signing_keys_missing"
          | "token_expired"
          | "too_many_approvals"
          | "too_many_requests"
          | "try_again"
          | "user_not_found";
        user: {
          id: components["schemas"]["chats_Id"];
          share: string;
        };
      };
      /** @description Start a new epoch */
      "POST /chats/keys/rotate": {
        answer: components["schemas"]["chats_KeyChange"];
        /** @enum {string} */
        code:
          | "body_incomplete"
          | "body_too_large"
          | "credentials_missing"
          | "database_timeout"
          | "idempotency_key_reused"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_idempotency_key"
          | "invalid_json"
          | "invalid_key_proof"
          | "invalid_request"
          | "invalid_token"
          | "invalid_value"
          | "invalid_wrap"
          | "invalid_wraps"
          | "key_id_used"
          | "key_proof_wrong"
          | "keys_not_found"
          | "nested_too_deep"
          | "permission_missing"
          | "signing_keys_missing"
          | "token_expired"
          | "too_many_devices"
          | "too_many_requests"
          | "try_again"
          | "user_not_found"
          | "version_conflict"
          | "wrap_missing";
        user: {
          expected_version: number;
          key_id: components["schemas"]["chats_Id"];
          next_proof_hash?: string;
          proof?: string;
          wraps: components["schemas"]["chats_Wrap"][];
        };
      };
      /** @description Run cleanup jobs */
      "POST /cleanup": {
        answer: {
          dry_run: boolean;
          jobs: components["schemas"]["cleanup_CleanupResult"][];
        };
        /** @enum {string} */
        code:
          | "body_incomplete"
          | "body_too_large"
          | "cleanup_job_not_found"
          | "credentials_missing"
          | "database_timeout"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_json"
          | "invalid_request"
          | "invalid_token"
          | "invalid_value"
          | "nested_too_deep"
          | "permission_missing"
          | "secret_key_missing"
          | "token_expired"
          | "try_again";
        service: {
          dry_run?: boolean;
          jobs?: string[];
          max_seconds?: number;
        };
      };
      /** @description Start a conversation with its first message */
      "POST /conversations": {
        answer: {
          conversation: {
            client_id: string | null;
            created_at: components["schemas"]["conversations_Time"];
            id: components["schemas"]["conversations_Id"];
            system_prompt: string | null;
            title: string;
            updated_at: components["schemas"]["conversations_Time"];
            user_id: components["schemas"]["conversations_Id"];
          };
          messages: components["schemas"]["conversations_Message"][];
        };
        /** @enum {string} */
        code:
          | "body_incomplete"
          | "body_too_large"
          | "content_missing"
          | "content_too_large"
          | "conversation_deleted"
          | "conversation_id_used"
          | "credentials_missing"
          | "database_timeout"
          | "idempotency_key_reused"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_conversation_id"
          | "invalid_idempotency_key"
          | "invalid_json"
          | "invalid_message"
          | "invalid_message_id"
          | "invalid_request"
          | "invalid_role"
          | "invalid_sequence_number"
          | "invalid_status"
          | "invalid_title"
          | "invalid_token"
          | "invalid_value"
          | "message_deleted"
          | "message_id_used"
          | "nested_too_deep"
          | "permission_missing"
          | "signing_keys_missing"
          | "token_expired"
          | "too_many_bytes"
          | "too_many_requests"
          | "too_many_rows"
          | "try_again"
          | "user_not_found";
        service: {
          id?: string;
          message: components["schemas"]["conversations_NewMessage"];
          title?: string;
          user_id: components["schemas"]["conversations_Id"];
        };
        user: {
          id?: string;
          message: components["schemas"]["conversations_NewMessage"];
          title?: string;
        };
      };
      /** @description Save messages */
      "POST /conversations/{id}/messages": {
        answer: components["schemas"]["conversations_SavedMessages"];
        /** @enum {string} */
        code:
          | "body_incomplete"
          | "body_too_large"
          | "capture_exceeds_hold"
          | "content_missing"
          | "content_too_large"
          | "conversation_not_found"
          | "credentials_missing"
          | "database_timeout"
          | "hold_already_captured"
          | "hold_expired"
          | "hold_not_found"
          | "hold_released"
          | "idempotency_key_reused"
          | "insufficient_credits"
          | "internal_error"
          | "invalid_amount"
          | "invalid_api_key"
          | "invalid_batch"
          | "invalid_charge"
          | "invalid_idempotency_key"
          | "invalid_if_none_match"
          | "invalid_json"
          | "invalid_message"
          | "invalid_message_id"
          | "invalid_quantity"
          | "invalid_request"
          | "invalid_role"
          | "invalid_sequence_number"
          | "invalid_settlement"
          | "invalid_status"
          | "invalid_token"
          | "invalid_value"
          | "member_limit_exceeded"
          | "message_deleted"
          | "message_id_used"
          | "message_settled"
          | "nested_too_deep"
          | "permission_missing"
          | "sequence_number_taken"
          | "signing_keys_missing"
          | "system_message"
          | "token_expired"
          | "too_many_bytes"
          | "too_many_messages"
          | "too_many_requests"
          | "too_many_rows"
          | "try_again"
          | "unit_mismatch"
          | "unknown_sku";
        service: {
          /** @description Any JSON except null: for example a string, an object with text or value, or a list of such parts */
          content: string | number | boolean | {
            [key: string]: unknown;
          } | unknown[];
          /** @description Id that the caller may choose: a UUID, or 1 to 64 letters, digits, _ and -, which becomes the client_id. Sending the same message with the same id again saves nothing twice */
          id?: string;
          /** @description An object */
          metadata?: {
            [key: string]: unknown;
          };
          /** @description Any JSON */
          object_data?: unknown;
          /** @description Any JSON */
          result_data?: unknown;
          /**
           * @description user or assistant; a service can also use system
           * @enum {string}
           */
          role: "user" | "assistant" | "system";
          /** @description Position in the project, from 0. Default: the next one. A message in a conversation has none */
          sequence_number?: number;
          settle?: {
            allow_overage?: boolean;
            amount?: number;
            hold_id: components["schemas"]["conversations_Id"];
            items?: {
              quantity: number;
              sku: string;
            }[];
          };
          /**
           * @description complete (the default), or streaming for a draft
           * @enum {string}
           */
          status?: "complete" | "streaming";
          user_id: components["schemas"]["conversations_Id"];
        } | {
          messages: components["schemas"]["conversations_NewMessage"][];
          user_id: components["schemas"]["conversations_Id"];
        };
        user: components["schemas"]["conversations_NewMessage"] | {
          messages: components["schemas"]["conversations_NewMessage"][];
        };
      };
      /** @description Abort a draft */
      "POST /conversations/{id}/messages/{message_id}/abort": {
        answer: components["schemas"]["conversations_SavedMessages"];
        /** @enum {string} */
        code:
          | "body_incomplete"
          | "body_too_large"
          | "capture_exceeds_hold"
          | "content_too_large"
          | "conversation_not_found"
          | "credentials_missing"
          | "database_timeout"
          | "hold_already_captured"
          | "hold_expired"
          | "hold_not_found"
          | "hold_released"
          | "insufficient_credits"
          | "internal_error"
          | "invalid_amount"
          | "invalid_api_key"
          | "invalid_charge"
          | "invalid_json"
          | "invalid_quantity"
          | "invalid_request"
          | "invalid_settlement"
          | "invalid_token"
          | "invalid_value"
          | "member_limit_exceeded"
          | "message_finished"
          | "message_not_found"
          | "message_settled"
          | "nested_too_deep"
          | "permission_missing"
          | "signing_keys_missing"
          | "system_message"
          | "token_expired"
          | "too_many_bytes"
          | "too_many_requests"
          | "try_again"
          | "unit_mismatch"
          | "unknown_sku";
        service: {
          /** @description Any JSON except null: for example a string, an object with text or value, or a list of such parts */
          content?: string | number | boolean | {
            [key: string]: unknown;
          } | unknown[];
          /** @description Any JSON */
          object_data?: unknown;
          /** @description Any JSON */
          result_data?: unknown;
          settle?: {
            allow_overage?: boolean;
            amount?: number;
            hold_id: components["schemas"]["conversations_Id"];
            items?: {
              quantity: number;
              sku: string;
            }[];
          };
          user_id: components["schemas"]["conversations_Id"];
        };
        user: {
          /** @description Any JSON except null: for example a string, an object with text or value, or a list of such parts */
          content?: string | number | boolean | {
            [key: string]: unknown;
          } | unknown[];
          /** @description Any JSON */
          object_data?: unknown;
          /** @description Any JSON */
          result_data?: unknown;
        };
      };
      /** @description Complete a draft */
      "POST /conversations/{id}/messages/{message_id}/finish": {
        answer: components["schemas"]["conversations_SavedMessages"];
        /** @enum {string} */
        code:
          | "body_incomplete"
          | "body_too_large"
          | "capture_exceeds_hold"
          | "content_too_large"
          | "conversation_not_found"
          | "credentials_missing"
          | "database_timeout"
          | "hold_already_captured"
          | "hold_expired"
          | "hold_not_found"
          | "hold_released"
          | "insufficient_credits"
          | "internal_error"
          | "invalid_amount"
          | "invalid_api_key"
          | "invalid_charge"
          | "invalid_json"
          | "invalid_quantity"
          | "invalid_request"
          | "invalid_settlement"
          | "invalid_token"
          | "invalid_value"
          | "member_limit_exceeded"
          | "message_finished"
          | "message_not_found"
          | "message_settled"
          | "nested_too_deep"
          | "permission_missing"
          | "signing_keys_missing"
          | "system_message"
          | "token_expired"
          | "too_many_bytes"
          | "too_many_requests"
          | "try_again"
          | "unit_mismatch"
          | "unknown_sku";
        service: {
          /** @description Any JSON except null: for example a string, an object with text or value, or a list of such parts */
          content?: string | number | boolean | {
            [key: string]: unknown;
          } | unknown[];
          /** @description Any JSON */
          object_data?: unknown;
          /** @description Any JSON */
          result_data?: unknown;
          settle?: {
            allow_overage?: boolean;
            amount?: number;
            hold_id: components["schemas"]["conversations_Id"];
            items?: {
              quantity: number;
              sku: string;
            }[];
          };
          user_id: components["schemas"]["conversations_Id"];
        };
        user: {
          /** @description Any JSON except null: for example a string, an object with text or value, or a list of such parts */
          content?: string | number | boolean | {
            [key: string]: unknown;
          } | unknown[];
          /** @description Any JSON */
          object_data?: unknown;
          /** @description Any JSON */
          result_data?: unknown;
        };
      };
      /** @description Charge a user or a team */
      "POST /credits/deduct": {
        answer: components["schemas"]["credits_Entry"];
        /** @enum {string} */
        code:
          | "account_not_found"
          | "body_incomplete"
          | "body_too_large"
          | "credentials_missing"
          | "database_timeout"
          | "idempotency_key_reused"
          | "insufficient_credits"
          | "internal_error"
          | "invalid_amount"
          | "invalid_api_key"
          | "invalid_charge"
          | "invalid_idempotency_key"
          | "invalid_json"
          | "invalid_quantity"
          | "invalid_request"
          | "invalid_token"
          | "invalid_value"
          | "member_limit_exceeded"
          | "nested_too_deep"
          | "permission_missing"
          | "signing_keys_missing"
          | "token_expired"
          | "too_many_requests"
          | "try_again"
          | "unit_mismatch"
          | "unknown_sku"
          | "unknown_unit";
        service: {
          amount?: components["schemas"]["credits_Amount"];
          description?: string;
          items?: components["schemas"]["credits_ComputedItems"];
          quantity?: components["schemas"]["credits_Amount"];
          sku?: string;
          team_id?: components["schemas"]["credits_Id"];
          unit?: components["schemas"]["credits_Unit"];
          user_id?: components["schemas"]["credits_Id"];
        };
        user: {
          items?: components["schemas"]["credits_Items"];
          quantity?: components["schemas"]["credits_Quantity"];
          sku?: string;
          team_id?: components["schemas"]["credits_Id"];
        };
      };
      /** @description Grant credits */
      "POST /credits/grants": {
        answer: components["schemas"]["credits_Grant"];
        /** @enum {string} */
        code:
          | "account_not_found"
          | "balance_too_large"
          | "body_incomplete"
          | "body_too_large"
          | "credentials_missing"
          | "database_timeout"
          | "external_reference_used"
          | "idempotency_key_reused"
          | "internal_error"
          | "invalid_amount"
          | "invalid_api_key"
          | "invalid_grant"
          | "invalid_idempotency_key"
          | "invalid_json"
          | "invalid_request"
          | "invalid_token"
          | "invalid_value"
          | "nested_too_deep"
          | "permission_missing"
          | "token_expired"
          | "too_many_grants"
          | "try_again"
          | "unknown_unit";
        service: {
          amount: components["schemas"]["credits_Amount"];
          /** @enum {string} */
          category?: "paid" | "promotional";
          cost_basis?: number;
          currency?: string;
          description?: string;
          effective_at?: components["schemas"]["credits_Time"];
          expires_at?: components["schemas"]["credits_Time"];
          external_reference?: string;
          priority?: number;
          skus?: string[];
          source?: string;
          team_id?: components["schemas"]["credits_Id"];
          unit?: components["schemas"]["credits_Unit"];
          user_id?: components["schemas"]["credits_Id"];
        };
      };
      /** @description Void a grant */
      "POST /credits/grants/{id}/void": {
        answer: components["schemas"]["credits_Grant"];
        /** @enum {string} */
        code:
          | "body_incomplete"
          | "body_too_large"
          | "credentials_missing"
          | "database_timeout"
          | "grant_already_voided"
          | "grant_expired"
          | "grant_not_found"
          | "idempotency_key_reused"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_idempotency_key"
          | "invalid_json"
          | "invalid_request"
          | "invalid_token"
          | "invalid_value"
          | "invalid_void"
          | "nested_too_deep"
          | "permission_missing"
          | "token_expired"
          | "try_again";
        service: {
          reason: string;
          voided_by: string;
        };
      };
      /** @description Hold credits */
      "POST /credits/holds": {
        answer: components["schemas"]["credits_Hold"];
        /** @enum {string} */
        code:
          | "account_not_found"
          | "body_incomplete"
          | "body_too_large"
          | "credentials_missing"
          | "database_timeout"
          | "idempotency_key_reused"
          | "insufficient_credits"
          | "internal_error"
          | "invalid_amount"
          | "invalid_api_key"
          | "invalid_charge"
          | "invalid_hold"
          | "invalid_idempotency_key"
          | "invalid_json"
          | "invalid_quantity"
          | "invalid_request"
          | "invalid_token"
          | "invalid_value"
          | "member_limit_exceeded"
          | "nested_too_deep"
          | "permission_missing"
          | "token_expired"
          | "too_many_holds"
          | "try_again"
          | "unit_mismatch"
          | "unknown_sku"
          | "unknown_unit";
        service: {
          amount?: components["schemas"]["credits_Amount"];
          description?: string;
          expires_in?: number;
          items?: components["schemas"]["credits_ComputedItems"];
          team_id?: components["schemas"]["credits_Id"];
          unit?: components["schemas"]["credits_Unit"];
          user_id?: components["schemas"]["credits_Id"];
        };
      };
      /** @description Capture a hold */
      "POST /credits/holds/{id}/capture": {
        answer: {
          account_id: components["schemas"]["credits_Id"];
          actor_id: components["schemas"]["credits_Id"] | null;
          amount: number;
          balance_after: number;
          created_at: components["schemas"]["credits_Time"];
          description: string | null;
          entry_no: number | null;
          items: components["schemas"]["credits_PricedItem"][] | null;
          /** @enum {string} */
          kind:
            | "grant"
            | "deduct"
            | "capture"
            | "refund"
            | "expire"
            | "void"
            | "repay"
            | "transfer";
          quantity: number | null;
          refund_of: number | null;
          sku: string | null;
          unit: string;
          unit_price: number | null;
        };
        /** @enum {string} */
        code:
          | "body_incomplete"
          | "body_too_large"
          | "capture_exceeds_hold"
          | "credentials_missing"
          | "database_timeout"
          | "hold_already_captured"
          | "hold_expired"
          | "hold_not_found"
          | "hold_released"
          | "idempotency_key_reused"
          | "insufficient_credits"
          | "internal_error"
          | "invalid_amount"
          | "invalid_api_key"
          | "invalid_charge"
          | "invalid_idempotency_key"
          | "invalid_json"
          | "invalid_quantity"
          | "invalid_request"
          | "invalid_token"
          | "invalid_value"
          | "member_limit_exceeded"
          | "nested_too_deep"
          | "permission_missing"
          | "token_expired"
          | "try_again"
          | "unit_mismatch"
          | "unknown_sku";
        service: {
          allow_overage?: boolean;
          amount?: components["schemas"]["credits_ComputedAmount"];
          description?: string;
          items?: components["schemas"]["credits_ComputedItems"];
        };
      };
      /** @description Release a hold */
      "POST /credits/holds/{id}/release": {
        answer: components["schemas"]["credits_Hold"];
        /** @enum {string} */
        code:
          | "body_incomplete"
          | "body_too_large"
          | "credentials_missing"
          | "database_timeout"
          | "hold_already_captured"
          | "hold_expired"
          | "hold_not_found"
          | "hold_released"
          | "idempotency_key_reused"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_idempotency_key"
          | "invalid_json"
          | "invalid_request"
          | "invalid_token"
          | "invalid_value"
          | "nested_too_deep"
          | "permission_missing"
          | "token_expired"
          | "try_again";
        service: Record<string, never>;
      };
      /** @description Price items */
      "POST /credits/quote": {
        answer: {
          affordable: boolean;
          available: number;
          items: components["schemas"]["credits_PricedItem"][];
          member_available: number | null;
          total: number;
          unit: string;
        };
        /** @enum {string} */
        code:
          | "account_not_found"
          | "body_incomplete"
          | "body_too_large"
          | "credentials_missing"
          | "database_timeout"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_charge"
          | "invalid_json"
          | "invalid_quantity"
          | "invalid_request"
          | "invalid_token"
          | "invalid_value"
          | "nested_too_deep"
          | "permission_missing"
          | "signing_keys_missing"
          | "token_expired"
          | "too_many_requests"
          | "try_again"
          | "unit_mismatch"
          | "unknown_sku";
        service: {
          items: components["schemas"]["credits_ComputedItems"];
          team_id?: components["schemas"]["credits_Id"];
          user_id?: components["schemas"]["credits_Id"];
        };
        user: {
          items: components["schemas"]["credits_Items"];
          team_id?: components["schemas"]["credits_Id"];
        };
      };
      /** @description Refund a charge */
      "POST /credits/refunds": {
        answer: components["schemas"]["credits_Entry"];
        /** @enum {string} */
        code:
          | "account_not_found"
          | "body_incomplete"
          | "body_too_large"
          | "credentials_missing"
          | "database_timeout"
          | "entry_not_found"
          | "entry_not_refundable"
          | "idempotency_key_reused"
          | "internal_error"
          | "invalid_amount"
          | "invalid_api_key"
          | "invalid_idempotency_key"
          | "invalid_json"
          | "invalid_refund"
          | "invalid_request"
          | "invalid_token"
          | "invalid_value"
          | "nested_too_deep"
          | "permission_missing"
          | "refund_exceeds_charge"
          | "token_expired"
          | "try_again";
        service: {
          account_id: components["schemas"]["credits_Id"];
          amount?: components["schemas"]["credits_Amount"];
          description?: string;
          entry_no: number;
        };
      };
      /** @description Move credits to another account */
      "POST /credits/transfers": {
        answer: {
          amount: number;
          balance_after: number;
          created_at: components["schemas"]["credits_Time"];
          description: string | null;
          from_account_id: components["schemas"]["credits_Id"];
          from_entry_no: number;
          to_account_id: components["schemas"]["credits_Id"];
          to_entry_no: number;
          unit: string;
        };
        /** @enum {string} */
        code:
          | "account_not_found"
          | "balance_too_large"
          | "body_incomplete"
          | "body_too_large"
          | "credentials_missing"
          | "database_timeout"
          | "idempotency_key_reused"
          | "insufficient_credits"
          | "internal_error"
          | "invalid_amount"
          | "invalid_api_key"
          | "invalid_idempotency_key"
          | "invalid_json"
          | "invalid_request"
          | "invalid_token"
          | "invalid_transfer"
          | "invalid_value"
          | "nested_too_deep"
          | "not_team_admin"
          | "permission_missing"
          | "signing_keys_missing"
          | "token_expired"
          | "too_many_grants"
          | "too_many_requests"
          | "try_again"
          | "unknown_unit";
        service: {
          amount: components["schemas"]["credits_Amount"];
          description?: string;
          from_team_id?: components["schemas"]["credits_Id"];
          from_user_id?: components["schemas"]["credits_Id"];
          to_team_id?: components["schemas"]["credits_Id"];
          to_user_id?: components["schemas"]["credits_Id"];
          unit?: components["schemas"]["credits_Unit"];
        };
        user: {
          amount: components["schemas"]["credits_Quantity"];
          description?: string;
          from_team_id?: components["schemas"]["credits_Id"];
          to_team_id?: components["schemas"]["credits_Id"];
          to_user_id?: components["schemas"]["credits_Id"];
          unit?: components["schemas"]["credits_Unit"];
        };
      };
      /** @description Sign downloads */
      "POST /files/downloads": {
        answer: {
          /** Format: date-time */
          expires_at: string;
          refused: {
            path: string;
            reason: string;
          }[];
          urls: {
            path: string;
            /** Format: uri */
            url: string;
          }[];
        };
        /** @enum {string} */
        code:
          | "body_incomplete"
          | "body_too_large"
          | "bucket_not_found"
          | "content_type_not_allowed"
          | "credentials_missing"
          | "database_timeout"
          | "expiry_too_long"
          | "file_too_large"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_json"
          | "invalid_request"
          | "invalid_token"
          | "invalid_value"
          | "nested_too_deep"
          | "object_exists"
          | "object_not_found"
          | "permission_missing"
          | "signing_keys_missing"
          | "storage_forbidden"
          | "storage_refused"
          | "storage_unavailable"
          | "token_expired"
          | "too_many_requests"
          | "try_again";
        user: {
          bucket: string;
          expires_in?: number;
          paths: (string | {
            download: true | string;
            path: string;
          })[];
        };
      };
      /** @description Reserve an upload */
      "POST /files/uploads": {
        answer: components["schemas"]["files_Upload"];
        /** @enum {string} */
        code:
          | "body_incomplete"
          | "body_too_large"
          | "bucket_not_found"
          | "chat_not_found"
          | "chat_required"
          | "content_type_not_allowed"
          | "credentials_missing"
          | "database_timeout"
          | "file_too_large"
          | "idempotency_key_reused"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_content_type"
          | "invalid_idempotency_key"
          | "invalid_json"
          | "invalid_name"
          | "invalid_request"
          | "invalid_size"
          | "invalid_token"
          | "invalid_value"
          | "nested_too_deep"
          | "not_project_owner"
          | "object_exists"
          | "object_not_found"
          | "permission_missing"
          | "project_cloning"
          | "project_deleted"
          | "project_not_found"
          | "project_read_only"
          | "signing_keys_missing"
          | "storage_forbidden"
          | "storage_quota_exceeded"
          | "storage_refused"
          | "storage_unavailable"
          | "token_expired"
          | "too_many_bytes"
          | "too_many_requests"
          | "too_many_rows"
          | "too_many_uploads"
          | "try_again"
          | "upload_already_complete"
          | "upload_expired"
          | "user_not_found";
        service: {
          bucket: string;
          chat_id?: components["schemas"]["files_Id"];
          content_type: string;
          name: string;
          project_id?: components["schemas"]["files_Id"];
          size: number;
          user_id: components["schemas"]["files_Id"];
        };
        user: {
          bucket: string;
          chat_id?: components["schemas"]["files_Id"];
          content_type: string;
          name: string;
          project_id?: components["schemas"]["files_Id"];
          size: number;
        };
      };
      /** @description Complete an upload */
      "POST /files/uploads/{id}/complete": {
        answer: components["schemas"]["files_File"];
        /** @enum {string} */
        code:
          | "body_incomplete"
          | "body_too_large"
          | "content_type_not_allowed"
          | "credentials_missing"
          | "database_timeout"
          | "file_too_large"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_json"
          | "invalid_request"
          | "invalid_token"
          | "invalid_value"
          | "nested_too_deep"
          | "object_exists"
          | "object_not_found"
          | "permission_missing"
          | "signing_keys_missing"
          | "storage_forbidden"
          | "storage_refused"
          | "storage_unavailable"
          | "token_expired"
          | "too_many_requests"
          | "try_again"
          | "upload_changed"
          | "upload_expired"
          | "upload_missing"
          | "upload_not_found"
          | "upload_rejected";
        service: {
          user_id: components["schemas"]["files_Id"];
        };
        user: Record<string, never>;
      };
      /** @description Create an API key */
      "POST /keys": {
        answer: {
          created_at: components["schemas"]["keys_Time"];
          expires_at: components["schemas"]["keys_Time"] | null;
          id: components["schemas"]["keys_Id"];
          is_active: boolean;
          key: string;
          key_prefix: string;
          last_used_at: components["schemas"]["keys_Time"] | null;
          name: string;
          permissions: string[];
          updated_at: components["schemas"]["keys_Time"];
        };
        /** @enum {string} */
        code:
          | "body_incomplete"
          | "body_too_large"
          | "credentials_missing"
          | "database_timeout"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_json"
          | "invalid_key"
          | "invalid_request"
          | "invalid_token"
          | "invalid_value"
          | "nested_too_deep"
          | "permission_missing"
          | "signing_keys_missing"
          | "token_expired"
          | "too_many_keys"
          | "too_many_requests"
          | "try_again"
          | "unknown_permission"
          | "user_not_found";
        user: {
          expires_at?: components["schemas"]["keys_Time"] | null;
          name: string;
          permissions: (
            | "credits:read"
            | "credits:write"
            | "messages:write"
            | "answers:write"
            | "projects:write"
            | "files:read"
            | "files:write"
          )[];
        };
      };
      /** @description Clone a project */
      "POST /projects/{id}/clone": {
        answer: components["schemas"]["projects_ProjectClone"];
        /** @enum {string} */
        code:
          | "body_incomplete"
          | "body_too_large"
          | "clone_deleted"
          | "credentials_missing"
          | "database_timeout"
          | "files_of_another"
          | "idempotency_key_reused"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_idempotency_key"
          | "invalid_json"
          | "invalid_request"
          | "invalid_title"
          | "invalid_token"
          | "invalid_value"
          | "nested_too_deep"
          | "permission_missing"
          | "project_cloning"
          | "project_deleted"
          | "project_not_found"
          | "signing_keys_missing"
          | "token_expired"
          | "too_many_bytes"
          | "too_many_clones"
          | "too_many_requests"
          | "too_many_rows"
          | "try_again";
        service: {
          title?: string;
          user_id: components["schemas"]["projects_Id"];
          with_files?: boolean;
          with_messages?: boolean;
        };
        user: {
          title?: string;
          with_files?: boolean;
          with_messages?: boolean;
        };
      };
      /** @description Save messages */
      "POST /projects/{id}/messages": {
        answer: components["schemas"]["projects_SavedMessages"];
        /** @enum {string} */
        code:
          | "body_incomplete"
          | "body_too_large"
          | "capture_exceeds_hold"
          | "content_missing"
          | "content_too_large"
          | "credentials_missing"
          | "database_timeout"
          | "hold_already_captured"
          | "hold_expired"
          | "hold_not_found"
          | "hold_released"
          | "idempotency_key_reused"
          | "insufficient_credits"
          | "internal_error"
          | "invalid_amount"
          | "invalid_api_key"
          | "invalid_batch"
          | "invalid_charge"
          | "invalid_idempotency_key"
          | "invalid_if_none_match"
          | "invalid_json"
          | "invalid_message"
          | "invalid_message_id"
          | "invalid_quantity"
          | "invalid_request"
          | "invalid_role"
          | "invalid_sequence_number"
          | "invalid_settlement"
          | "invalid_status"
          | "invalid_token"
          | "invalid_value"
          | "member_limit_exceeded"
          | "message_deleted"
          | "message_id_used"
          | "message_settled"
          | "nested_too_deep"
          | "not_message_author"
          | "permission_missing"
          | "project_cloning"
          | "project_deleted"
          | "project_not_found"
          | "project_read_only"
          | "sequence_number_taken"
          | "signing_keys_missing"
          | "system_message"
          | "token_expired"
          | "too_many_bytes"
          | "too_many_messages"
          | "too_many_requests"
          | "too_many_rows"
          | "try_again"
          | "unit_mismatch"
          | "unknown_sku";
        service: {
          /** @description Any JSON except null: for example a string, an object with text or value, or a list of such parts */
          content: string | number | boolean | {
            [key: string]: unknown;
          } | unknown[];
          /** @description Id that the caller may choose: a UUID, or 1 to 64 letters, digits, _ and -, which becomes the client_id. Sending the same message with the same id again saves nothing twice */
          id?: string;
          /** @description An object */
          metadata?: {
            [key: string]: unknown;
          };
          /** @description Any JSON */
          object_data?: unknown;
          /** @description Any JSON */
          result_data?: unknown;
          /**
           * @description user or assistant; a service can also use system
           * @enum {string}
           */
          role: "user" | "assistant" | "system";
          /** @description Position in the project, from 0. Default: the next one. A message in a conversation has none */
          sequence_number?: number;
          settle?: {
            allow_overage?: boolean;
            amount?: number;
            hold_id: components["schemas"]["projects_Id"];
            items?: {
              quantity: number;
              sku: string;
            }[];
          };
          /**
           * @description complete (the default), or streaming for a draft
           * @enum {string}
           */
          status?: "complete" | "streaming";
          user_id: components["schemas"]["projects_Id"];
        } | {
          messages: components["schemas"]["projects_NewMessage"][];
          user_id: components["schemas"]["projects_Id"];
        };
        user: components["schemas"]["projects_NewMessage"] | {
          messages: components["schemas"]["projects_NewMessage"][];
        };
      };
      /** @description Abort a draft */
      "POST /projects/{id}/messages/{message_id}/abort": {
        answer: components["schemas"]["projects_SavedMessages"];
        /** @enum {string} */
        code:
          | "body_incomplete"
          | "body_too_large"
          | "capture_exceeds_hold"
          | "content_too_large"
          | "credentials_missing"
          | "database_timeout"
          | "hold_already_captured"
          | "hold_expired"
          | "hold_not_found"
          | "hold_released"
          | "insufficient_credits"
          | "internal_error"
          | "invalid_amount"
          | "invalid_api_key"
          | "invalid_charge"
          | "invalid_json"
          | "invalid_quantity"
          | "invalid_request"
          | "invalid_settlement"
          | "invalid_token"
          | "invalid_value"
          | "member_limit_exceeded"
          | "message_finished"
          | "message_not_found"
          | "message_settled"
          | "nested_too_deep"
          | "not_message_author"
          | "permission_missing"
          | "project_cloning"
          | "project_deleted"
          | "project_not_found"
          | "project_read_only"
          | "signing_keys_missing"
          | "system_message"
          | "token_expired"
          | "too_many_bytes"
          | "too_many_requests"
          | "try_again"
          | "unit_mismatch"
          | "unknown_sku";
        service: {
          /** @description Any JSON except null: for example a string, an object with text or value, or a list of such parts */
          content?: string | number | boolean | {
            [key: string]: unknown;
          } | unknown[];
          /** @description Any JSON */
          object_data?: unknown;
          /** @description Any JSON */
          result_data?: unknown;
          settle?: {
            allow_overage?: boolean;
            amount?: number;
            hold_id: components["schemas"]["projects_Id"];
            items?: {
              quantity: number;
              sku: string;
            }[];
          };
          user_id: components["schemas"]["projects_Id"];
        };
        user: {
          /** @description Any JSON except null: for example a string, an object with text or value, or a list of such parts */
          content?: string | number | boolean | {
            [key: string]: unknown;
          } | unknown[];
          /** @description Any JSON */
          object_data?: unknown;
          /** @description Any JSON */
          result_data?: unknown;
        };
      };
      /** @description Complete a draft */
      "POST /projects/{id}/messages/{message_id}/finish": {
        answer: components["schemas"]["projects_SavedMessages"];
        /** @enum {string} */
        code:
          | "body_incomplete"
          | "body_too_large"
          | "capture_exceeds_hold"
          | "content_too_large"
          | "credentials_missing"
          | "database_timeout"
          | "hold_already_captured"
          | "hold_expired"
          | "hold_not_found"
          | "hold_released"
          | "insufficient_credits"
          | "internal_error"
          | "invalid_amount"
          | "invalid_api_key"
          | "invalid_charge"
          | "invalid_json"
          | "invalid_quantity"
          | "invalid_request"
          | "invalid_settlement"
          | "invalid_token"
          | "invalid_value"
          | "member_limit_exceeded"
          | "message_finished"
          | "message_not_found"
          | "message_settled"
          | "nested_too_deep"
          | "not_message_author"
          | "permission_missing"
          | "project_cloning"
          | "project_deleted"
          | "project_not_found"
          | "project_read_only"
          | "signing_keys_missing"
          | "system_message"
          | "token_expired"
          | "too_many_bytes"
          | "too_many_requests"
          | "try_again"
          | "unit_mismatch"
          | "unknown_sku";
        service: {
          /** @description Any JSON except null: for example a string, an object with text or value, or a list of such parts */
          content?: string | number | boolean | {
            [key: string]: unknown;
          } | unknown[];
          /** @description Any JSON */
          object_data?: unknown;
          /** @description Any JSON */
          result_data?: unknown;
          settle?: {
            allow_overage?: boolean;
            amount?: number;
            hold_id: components["schemas"]["projects_Id"];
            items?: {
              quantity: number;
              sku: string;
            }[];
          };
          user_id: components["schemas"]["projects_Id"];
        };
        user: {
          /** @description Any JSON except null: for example a string, an object with text or value, or a list of such parts */
          content?: string | number | boolean | {
            [key: string]: unknown;
          } | unknown[];
          /** @description Any JSON */
          object_data?: unknown;
          /** @description Any JSON */
          result_data?: unknown;
        };
      };
      /** @description Restore a deleted project */
      "POST /projects/{id}/restore": {
        answer: components["schemas"]["projects_ProjectChange"];
        /** @enum {string} */
        code:
          | "body_incomplete"
          | "body_too_large"
          | "credentials_missing"
          | "database_timeout"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_json"
          | "invalid_request"
          | "invalid_token"
          | "invalid_value"
          | "nested_too_deep"
          | "not_project_owner"
          | "permission_missing"
          | "project_cloning"
          | "project_not_found"
          | "project_purged"
          | "project_read_only"
          | "signing_keys_missing"
          | "token_expired"
          | "too_many_requests"
          | "try_again";
        service: {
          user_id: components["schemas"]["projects_Id"];
        };
        user: Record<string, never>;
      };
      /** @description Create a team */
      "POST /teams": {
        answer: components["schemas"]["teams_TeamChange"];
        /** @enum {string} */
        code:
          | "body_incomplete"
          | "body_too_large"
          | "credentials_missing"
          | "database_timeout"
          | "idempotency_key_reused"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_idempotency_key"
          | "invalid_json"
          | "invalid_request"
          | "invalid_team"
          | "invalid_token"
          | "invalid_value"
          | "nested_too_deep"
          | "permission_missing"
          | "signing_keys_missing"
          | "token_expired"
          | "too_many_requests"
          | "too_many_teams"
          | "try_again"
          | "user_not_found";
        service: {
          email?: string;
          name: string;
          user_id: components["schemas"]["teams_Id"];
        };
        user: {
          email?: string;
          name: string;
        };
      };
      /** @description Invite a user or an address */
      "POST /teams/{id}/invitations": {
        answer: components["schemas"]["teams_Invitation"];
        /** @enum {string} */
        code:
          | "already_member"
          | "body_incomplete"
          | "body_too_large"
          | "credentials_missing"
          | "database_timeout"
          | "idempotency_key_reused"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_idempotency_key"
          | "invalid_invitation"
          | "invalid_json"
          | "invalid_request"
          | "invalid_token"
          | "invalid_value"
          | "nested_too_deep"
          | "not_team_admin"
          | "not_team_owner"
          | "permission_missing"
          | "signing_keys_missing"
          | "team_not_found"
          | "token_expired"
          | "too_many_invitations"
          | "too_many_requests"
          | "try_again"
          | "user_not_found";
        service: {
          email?: string;
          invitee_id?: components["schemas"]["teams_Id"];
          /** @enum {string} */
          role: "owner" | "admin" | "member";
          user_id: components["schemas"]["teams_Id"];
        };
        user: {
          email?: string;
          invitee_id?: components["schemas"]["teams_Id"];
          /** @enum {string} */
          role: "owner" | "admin" | "member";
        };
      };
      /** @description Leave a team */
      "POST /teams/{id}/leave": {
        answer: components["schemas"]["teams_Member"];
        /** @enum {string} */
        code:
          | "body_incomplete"
          | "body_too_large"
          | "credentials_missing"
          | "database_timeout"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_json"
          | "invalid_request"
          | "invalid_token"
          | "invalid_value"
          | "last_owner"
          | "nested_too_deep"
          | "permission_missing"
          | "signing_keys_missing"
          | "team_not_found"
          | "token_expired"
          | "too_many_requests"
          | "try_again";
        service: {
          user_id: components["schemas"]["teams_Id"];
        };
        user: Record<string, never>;
      };
      /** @description Accept an invitation */
      "POST /teams/invitations/{id}/accept": {
        answer: components["schemas"]["teams_Invitation"];
        /** @enum {string} */
        code:
          | "body_incomplete"
          | "body_too_large"
          | "credentials_missing"
          | "database_timeout"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_json"
          | "invalid_request"
          | "invalid_token"
          | "invalid_value"
          | "invitation_answered"
          | "invitation_expired"
          | "invitation_not_found"
          | "invitation_void"
          | "nested_too_deep"
          | "permission_missing"
          | "signing_keys_missing"
          | "token_expired"
          | "too_many_members"
          | "too_many_requests"
          | "try_again";
        service: {
          user_id: components["schemas"]["teams_Id"];
        };
        user: Record<string, never>;
      };
      /** @description Decline an invitation */
      "POST /teams/invitations/{id}/decline": {
        answer: components["schemas"]["teams_Invitation"];
        /** @enum {string} */
        code:
          | "body_incomplete"
          | "body_too_large"
          | "credentials_missing"
          | "database_timeout"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_json"
          | "invalid_request"
          | "invalid_token"
          | "invalid_value"
          | "invitation_answered"
          | "invitation_not_found"
          | "nested_too_deep"
          | "permission_missing"
          | "signing_keys_missing"
          | "token_expired"
          | "too_many_requests"
          | "try_again";
        service: {
          user_id: components["schemas"]["teams_Id"];
        };
        user: Record<string, never>;
      };
      /** @description Decide whether a user may sign up */
      "POST /webhooks/auth": {
        answer: {
          error?: {
            http_code: number;
            message: string;
          };
        };
        /** @enum {string} */
        code:
          | "auth_hook_unsupported"
          | "body_incomplete"
          | "body_too_large"
          | "database_timeout"
          | "internal_error"
          | "invalid_json"
          | "invalid_request"
          | "invalid_value"
          | "invalid_webhook_event"
          | "signature_expired"
          | "signature_invalid"
          | "signature_missing"
          | "try_again"
          | "webhook_effect_failed"
          | "webhook_not_configured";
      };
      /** @description Receive a Database Webhook of Supabase */
      "POST /webhooks/database": {
        answer: components["schemas"]["webhooks_WebhookReceipt"];
        /** @enum {string} */
        code:
          | "body_incomplete"
          | "body_too_large"
          | "database_timeout"
          | "internal_error"
          | "invalid_json"
          | "invalid_request"
          | "invalid_value"
          | "invalid_webhook_event"
          | "signature_invalid"
          | "signature_missing"
          | "try_again"
          | "webhook_effect_failed"
          | "webhook_not_configured";
      };
      /** @description Replay events */
      "POST /webhooks/replay": {
        answer: {
          errors: {
            error: string;
            event_id: string;
            id: number;
          }[];
          failed: number;
          ignored: number;
          next_after: number | null;
          payload_gone: number;
          processed: number;
          replayed: number;
        };
        /** @enum {string} */
        code:
          | "body_incomplete"
          | "body_too_large"
          | "credentials_missing"
          | "database_timeout"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_json"
          | "invalid_request"
          | "invalid_token"
          | "invalid_value"
          | "nested_too_deep"
          | "permission_missing"
          | "token_expired"
          | "try_again"
          | "webhook_event_not_found"
          | "webhook_payload_gone";
        service: {
          event_id: string;
          provider: string;
        } | {
          after?: number;
          batch?: number;
          provider?: string;
          received_before?: components["schemas"]["webhooks_Time"];
          received_from: components["schemas"]["webhooks_Time"];
          type?: string;
        } | {
          after?: number;
          batch?: number;
          provider?: string;
          received_before: components["schemas"]["webhooks_Time"];
          type?: string;
        };
      };
      /** @description Receive an event from a sender of Standard Webhooks */
      "POST /webhooks/standard/{source}": {
        answer: components["schemas"]["webhooks_WebhookReceipt"];
        /** @enum {string} */
        code:
          | "body_incomplete"
          | "body_too_large"
          | "database_timeout"
          | "internal_error"
          | "invalid_json"
          | "invalid_request"
          | "invalid_value"
          | "invalid_webhook_event"
          | "signature_expired"
          | "signature_invalid"
          | "signature_missing"
          | "try_again"
          | "webhook_effect_failed"
          | "webhook_not_configured"
          | "webhook_source_unknown";
      };
      /** @description Receive an event from Stripe */
      "POST /webhooks/stripe": {
        answer: components["schemas"]["webhooks_WebhookReceipt"];
        /** @enum {string} */
        code:
          | "body_incomplete"
          | "body_too_large"
          | "database_timeout"
          | "internal_error"
          | "invalid_json"
          | "invalid_request"
          | "invalid_value"
          | "invalid_webhook_event"
          | "signature_expired"
          | "signature_invalid"
          | "signature_missing"
          | "try_again"
          | "webhook_effect_failed"
          | "webhook_not_configured";
      };
      /** @description Save a chat as a whole */
      "PUT /chats/{id}": {
        answer: components["schemas"]["chats_SavedChat"];
        /** @enum {string} */
        code:
          | "body_incomplete"
          | "body_too_large"
          | "chat_deleted"
          | "chat_not_found"
          | "chat_quota_exceeded"
          | "credentials_missing"
          | "database_timeout"
          | "envelope_base64_invalid"
          | "envelope_key_unknown"
          | "envelope_mac_invalid"
          | "envelope_malformed"
          | "envelope_nonce_invalid"
          | "envelope_too_large"
          | "envelope_version_unknown"
          | "history_conflict"
          | "idempotency_key_reused"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_head"
          | "invalid_history"
          | "invalid_idempotency_key"
          | "invalid_json"
          | "invalid_request"
          | "invalid_token"
          | "invalid_value"
          | "key_epoch_old"
          | "nested_too_deep"
          | "nonce_reused"
          | "permission_missing"
          | "signing_keys_missing"
          | "token_expired"
          | "too_many_bytes"
          | "too_many_requests"
          | "too_many_rows"
          | "try_again"
          | "user_not_found"
          | "version_conflict";
        user: {
          encrypted_data: components["schemas"]["chats_Envelope"];
          encrypted_title?: components["schemas"]["chats_Envelope"];
          expected_version: number;
          head?: string;
          history?: components["schemas"]["chats_History"];
          is_starred?: boolean;
          restore?: boolean;
        };
      };
      /** @description Replace the head of the account */
      "PUT /chats/history": {
        answer: {
          counter: number;
        };
        /** @enum {string} */
        code:
          | "body_incomplete"
          | "body_too_large"
          | "credentials_missing"
          | "database_timeout"
          | "history_conflict"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_history"
          | "invalid_json"
          | "invalid_request"
          | "invalid_token"
          | "invalid_value"
          | "key_epoch_old"
          | "nested_too_deep"
          | "permission_missing"
          | "signing_keys_missing"
          | "token_expired"
          | "too_many_requests"
          | "try_again"
          | "user_not_found";
        user: {
          expected_sequence: number;
          history: components["schemas"]["chats_History"];
        };
      };
      /** @description Replace wraps */
      "PUT /chats/keys": {
        answer: components["schemas"]["chats_KeyChange"];
        /** @enum {string} */
        code:
          | "body_incomplete"
          | "body_too_large"
          | "credentials_missing"
          | "database_timeout"
          | "idempotency_key_reused"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_idempotency_key"
          | "invalid_json"
          | "invalid_key_proof"
          | "invalid_request"
          | "invalid_token"
          | "invalid_value"
          | "invalid_wrap"
          | "invalid_wraps"
          | "key_epoch_old"
          | "key_proof_wrong"
          | "nested_too_deep"
          | "permission_missing"
          | "signing_keys_missing"
          | "token_expired"
          | "too_many_devices"
          | "too_many_requests"
          | "try_again"
          | "user_not_found"
          | "version_conflict"
          | "wrap_missing";
        user: {
          expected_version: number;
          key_id: components["schemas"]["chats_Id"];
          next_proof_hash?: string;
          proof?: string;
          wraps: components["schemas"]["chats_Wrap"][];
        };
      };
      /** @description Note that a passkey has unlocked the keys */
      "PUT /chats/keys/passkeys/{device_id}/use": {
        answer: {
          device_id: components["schemas"]["chats_Id"];
          last_used_at: components["schemas"]["chats_Time"];
        };
        /** @enum {string} */
        code:
          | "credentials_missing"
          | "database_timeout"
          | "device_not_found"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_request"
          | "invalid_token"
          | "permission_missing"
          | "signing_keys_missing"
          | "token_expired"
          | "too_many_requests"
          | "try_again"
          | "user_not_found";
        user: Record<string, never>;
      };
      /** @description Replace a message */
      "PUT /conversations/{id}/messages/{message_id}": {
        answer: components["schemas"]["conversations_Message"];
        /** @enum {string} */
        code:
          | "body_incomplete"
          | "body_too_large"
          | "content_missing"
          | "content_too_large"
          | "conversation_not_found"
          | "credentials_missing"
          | "database_timeout"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_if_match"
          | "invalid_json"
          | "invalid_message"
          | "invalid_message_id"
          | "invalid_request"
          | "invalid_role"
          | "invalid_token"
          | "invalid_value"
          | "message_changed"
          | "message_not_found"
          | "nested_too_deep"
          | "permission_missing"
          | "signing_keys_missing"
          | "system_message"
          | "token_expired"
          | "too_many_bytes"
          | "too_many_requests"
          | "try_again";
        service: {
          /** @description Any JSON except null: for example a string, an object with text or value, or a list of such parts */
          content?: string | number | boolean | {
            [key: string]: unknown;
          } | unknown[];
          /** @description Id that the caller may choose: a UUID, or 1 to 64 letters, digits, _ and -, which becomes the client_id. Sending the same message with the same id again saves nothing twice */
          id?: string;
          /** @description An object */
          metadata?: {
            [key: string]: unknown;
          };
          /** @description Any JSON */
          object_data?: unknown;
          /** @description Any JSON */
          result_data?: unknown;
          /**
           * @description user or assistant; a service can also use system
           * @enum {string}
           */
          role?: "user" | "assistant" | "system";
          user_id: components["schemas"]["conversations_Id"];
        };
        user: {
          /** @description Any JSON except null: for example a string, an object with text or value, or a list of such parts */
          content?: string | number | boolean | {
            [key: string]: unknown;
          } | unknown[];
          /** @description Id that the caller may choose: a UUID, or 1 to 64 letters, digits, _ and -, which becomes the client_id. Sending the same message with the same id again saves nothing twice */
          id?: string;
          /** @description An object */
          metadata?: {
            [key: string]: unknown;
          };
          /** @description Any JSON */
          object_data?: unknown;
          /** @description Any JSON */
          result_data?: unknown;
          /**
           * @description user or assistant; a service can also use system
           * @enum {string}
           */
          role?: "user" | "assistant" | "system";
        };
      };
      /** @description Set the alert threshold */
      "PUT /credits/alert": {
        answer: {
          account_id: components["schemas"]["credits_Id"];
          alert_threshold: number | null;
          available: number;
          overdraft_limit: number;
          unit: string;
        };
        /** @enum {string} */
        code:
          | "account_not_found"
          | "body_incomplete"
          | "body_too_large"
          | "credentials_missing"
          | "database_timeout"
          | "idempotency_key_reused"
          | "internal_error"
          | "invalid_alert"
          | "invalid_api_key"
          | "invalid_idempotency_key"
          | "invalid_json"
          | "invalid_request"
          | "invalid_token"
          | "invalid_value"
          | "nested_too_deep"
          | "not_team_admin"
          | "permission_missing"
          | "signing_keys_missing"
          | "token_expired"
          | "too_many_requests"
          | "try_again"
          | "unknown_unit";
        service: {
          team_id?: components["schemas"]["credits_Id"];
          threshold: components["schemas"]["credits_Amount"] | null;
          unit?: components["schemas"]["credits_Unit"];
          user_id?: components["schemas"]["credits_Id"];
        };
        user: {
          team_id?: components["schemas"]["credits_Id"];
          threshold: components["schemas"]["credits_Amount"] | null;
          unit?: components["schemas"]["credits_Unit"];
        };
      };
      /** @description Set how far below zero an account may go */
      "PUT /credits/overdraft": {
        answer: {
          account_id: components["schemas"]["credits_Id"];
          alert_threshold: number | null;
          available: number;
          overdraft_limit: number;
          unit: string;
        };
        /** @enum {string} */
        code:
          | "account_not_found"
          | "body_incomplete"
          | "body_too_large"
          | "credentials_missing"
          | "database_timeout"
          | "idempotency_key_reused"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_idempotency_key"
          | "invalid_json"
          | "invalid_overdraft"
          | "invalid_request"
          | "invalid_token"
          | "invalid_value"
          | "nested_too_deep"
          | "overdraft_in_use"
          | "permission_missing"
          | "token_expired"
          | "try_again"
          | "unknown_unit";
        service: {
          overdraft_limit: components["schemas"]["credits_ComputedAmount"];
          team_id?: components["schemas"]["credits_Id"];
          unit?: components["schemas"]["credits_Unit"];
          user_id?: components["schemas"]["credits_Id"];
        };
      };
      /** @description Replace a message */
      "PUT /projects/{id}/messages/{message_id}": {
        answer: components["schemas"]["projects_Message"];
        /** @enum {string} */
        code:
          | "body_incomplete"
          | "body_too_large"
          | "content_missing"
          | "content_too_large"
          | "credentials_missing"
          | "database_timeout"
          | "internal_error"
          | "invalid_api_key"
          | "invalid_if_match"
          | "invalid_json"
          | "invalid_message"
          | "invalid_message_id"
          | "invalid_request"
          | "invalid_role"
          | "invalid_token"
          | "invalid_value"
          | "message_changed"
          | "message_not_found"
          | "nested_too_deep"
          | "not_message_author"
          | "permission_missing"
          | "project_cloning"
          | "project_deleted"
          | "project_not_found"
          | "project_read_only"
          | "signing_keys_missing"
          | "system_message"
          | "token_expired"
          | "too_many_bytes"
          | "too_many_requests"
          | "try_again";
        service: {
          /** @description Any JSON except null: for example a string, an object with text or value, or a list of such parts */
          content?: string | number | boolean | {
            [key: string]: unknown;
          } | unknown[];
          /** @description Id that the caller may choose: a UUID, or 1 to 64 letters, digits, _ and -, which becomes the client_id. Sending the same message with the same id again saves nothing twice */
          id?: string;
          /** @description An object */
          metadata?: {
            [key: string]: unknown;
          };
          /** @description Any JSON */
          object_data?: unknown;
          /** @description Any JSON */
          result_data?: unknown;
          /**
           * @description user or assistant; a service can also use system
           * @enum {string}
           */
          role?: "user" | "assistant" | "system";
          user_id: components["schemas"]["projects_Id"];
        };
        user: {
          /** @description Any JSON except null: for example a string, an object with text or value, or a list of such parts */
          content?: string | number | boolean | {
            [key: string]: unknown;
          } | unknown[];
          /** @description Id that the caller may choose: a UUID, or 1 to 64 letters, digits, _ and -, which becomes the client_id. Sending the same message with the same id again saves nothing twice */
          id?: string;
          /** @description An object */
          metadata?: {
            [key: string]: unknown;
          };
          /** @description Any JSON */
          object_data?: unknown;
          /** @description Any JSON */
          result_data?: unknown;
          /**
           * @description user or assistant; a service can also use system
           * @enum {string}
           */
          role?: "user" | "assistant" | "system";
        };
      };
    };
    /** Format: uuid */
    teams_Id: string;
    teams_Invitation: {
      answered_at: components["schemas"]["teams_Time"] | null;
      created_at: components["schemas"]["teams_Time"];
      email: string | null;
      expires_at: components["schemas"]["teams_Time"];
      id: components["schemas"]["teams_Id"];
      invited_by: components["schemas"]["teams_Id"];
      invitee_id: components["schemas"]["teams_Id"] | null;
      /** @enum {string} */
      role: "owner" | "admin" | "member";
      /** @enum {string} */
      status: "pending" | "accepted" | "declined" | "revoked";
      team_id: components["schemas"]["teams_Id"];
      team_name: string;
    };
    teams_Member: {
      created_at: components["schemas"]["teams_Time"];
      id: components["schemas"]["teams_Id"];
      /** @enum {string} */
      role: "owner" | "admin" | "member";
      team_id: components["schemas"]["teams_Id"];
      updated_at: components["schemas"]["teams_Time"];
      user_id: components["schemas"]["teams_Id"];
    };
    teams_TeamChange: {
      credits: number;
      projects: number;
      team: {
        cancel_at: components["schemas"]["teams_Time"] | null;
        cancel_at_period_end: boolean;
        created_at: components["schemas"]["teams_Time"];
        current_period_end: components["schemas"]["teams_Time"] | null;
        current_period_start: components["schemas"]["teams_Time"] | null;
        email: string | null;
        id: components["schemas"]["teams_Id"];
        name: string;
        pause_collection: string | null;
        pause_resumes_at: components["schemas"]["teams_Time"] | null;
        stripe_customer_id: string | null;
        stripe_status: string | null;
        stripe_subscription_id: string | null;
        subscription_quantity: number | null;
        /** @enum {string} */
        subscription_status: "active" | "canceled" | "past_due" | "unpaid" | "incomplete";
        /** @enum {string} */
        tier: "free" | "pro" | "enterprise";
        trial_end: components["schemas"]["teams_Time"] | null;
        updated_at: components["schemas"]["teams_Time"];
      };
    };
    /** Format: date-time */
    teams_Time: string;
    /** Format: date-time */
    webhooks_Time: string;
    webhooks_WebhookReceipt: {
      id: number;
      /** @enum {string} */
      outcome: "processed" | "ignored" | "dead";
      replayed: boolean;
    };
  };
  responses: never;
  parameters: never;
  requestBodies: never;
  headers: never;
  pathItems: never;
}

export type Routes = components["schemas"]["Routes"];
