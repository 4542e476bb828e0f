export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[];

export type Database = {
  "public": {
    Tables: {
      "answer_parts": {
        Row: {
          "answer_id": string;
          "input_tokens": number;
          "number": number;
          "output_tokens": number;
          "pieces": NonNullable<Json>;
          "user_id": string;
          "written_at": string;
        };
        ComputedFields: never;
        Insert: {
          "answer_id": string;
          "input_tokens": number;
          "number": number;
          "output_tokens": number;
          "pieces": NonNullable<Json>;
          "user_id": string;
          "written_at"?: string;
        };
        Update: {
          "answer_id"?: string;
          "input_tokens"?: number;
          "number"?: number;
          "output_tokens"?: number;
          "pieces"?: NonNullable<Json>;
          "user_id"?: string;
          "written_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "answer_parts_answer_id_fkey";
            columns: ["answer_id"];
            isOneToOne: false;
            referencedRelation: "answers";
            referencedColumns: ["id"];
          },
        ];
      };
      "answers": {
        Row: {
          "approvals": Json | null;
          "attempts": number;
          "cached_input_tokens": number;
          "conversation_id": string | null;
          "created_at": string;
          "credits": number | null;
          "ended_at": string | null;
          "ephemeral": boolean;
          "error": string | null;
          "finish_reason": string | null;
          "first_part": number;
          "held": number;
          "hold_id": string | null;
          "id": string;
          "input_tokens": number;
          "message_id": string | null;
          "model": string;
          "output_tokens": number;
          "prices": NonNullable<Json>;
          "project_id": string | null;
          "question_id": string | null;
          "reasoning_tokens": number;
          "state": string;
          "stop_requested": boolean;
          "usage_source": string | null;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "approvals"?: Json | null;
          "attempts"?: number;
          "cached_input_tokens"?: number;
          "conversation_id"?: string | null;
          "created_at"?: string;
          "credits"?: number | null;
          "ended_at"?: string | null;
          "ephemeral"?: boolean;
          "error"?: string | null;
          "finish_reason"?: string | null;
          "first_part"?: number;
          "held"?: number;
          "hold_id"?: string | null;
          "id"?: string;
          "input_tokens": number;
          "message_id"?: string | null;
          "model": string;
          "output_tokens"?: number;
          "prices": NonNullable<Json>;
          "project_id"?: string | null;
          "question_id"?: string | null;
          "reasoning_tokens"?: number;
          "state"?: string;
          "stop_requested"?: boolean;
          "usage_source"?: string | null;
          "user_id": string;
        };
        Update: {
          "approvals"?: Json | null;
          "attempts"?: number;
          "cached_input_tokens"?: number;
          "conversation_id"?: string | null;
          "created_at"?: string;
          "credits"?: number | null;
          "ended_at"?: string | null;
          "ephemeral"?: boolean;
          "error"?: string | null;
          "finish_reason"?: string | null;
          "first_part"?: number;
          "held"?: number;
          "hold_id"?: string | null;
          "id"?: string;
          "input_tokens"?: number;
          "message_id"?: string | null;
          "model"?: string;
          "output_tokens"?: number;
          "prices"?: NonNullable<Json>;
          "project_id"?: string | null;
          "question_id"?: string | null;
          "reasoning_tokens"?: number;
          "state"?: string;
          "stop_requested"?: boolean;
          "usage_source"?: string | null;
          "user_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "answers_conversation_id_fkey";
            columns: ["conversation_id"];
            isOneToOne: false;
            referencedRelation: "conversations";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "answers_project_id_fkey";
            columns: ["project_id"];
            isOneToOne: false;
            referencedRelation: "project_stats";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "answers_project_id_fkey";
            columns: ["project_id"];
            isOneToOne: false;
            referencedRelation: "projects";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "answers_user_id_fkey";
            columns: ["user_id"];
            isOneToOne: false;
            referencedRelation: "profiles";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "answers_user_id_fkey";
            columns: ["user_id"];
            isOneToOne: false;
            referencedRelation: "user_statistics";
            referencedColumns: ["user_id"];
          },
        ];
      };
      "api_key_events": {
        Row: {
          "created_at": string;
          "detail": NonNullable<Json>;
          "event": string;
          "id": number;
          "key_id": string;
          "key_prefix": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "detail"?: NonNullable<Json>;
          "event": string;
          "id"?: never;
          "key_id": string;
          "key_prefix": string;
          "user_id": string;
        };
        Update: {
          "created_at"?: string;
          "detail"?: NonNullable<Json>;
          "event"?: string;
          "id"?: never;
          "key_id"?: string;
          "key_prefix"?: string;
          "user_id"?: string;
        };
        Relationships: [];
      };
      "api_keys": {
        Row: {
          "created_at": string;
          "expires_at": string | null;
          "id": string;
          "is_active": boolean;
          "key_hash": string;
          "key_prefix": string;
          "last_used_at": string | null;
          "name": string;
          "permissions": NonNullable<Json>;
          "updated_at": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "expires_at"?: string | null;
          "id"?: string;
          "is_active"?: boolean;
          "key_hash": string;
          "key_prefix": string;
          "last_used_at"?: string | null;
          "name": string;
          "permissions"?: NonNullable<Json>;
          "updated_at"?: string;
          "user_id": string;
        };
        Update: {
          "created_at"?: string;
          "expires_at"?: string | null;
          "id"?: string;
          "is_active"?: boolean;
          "key_hash"?: string;
          "key_prefix"?: string;
          "last_used_at"?: string | null;
          "name"?: string;
          "permissions"?: NonNullable<Json>;
          "updated_at"?: string;
          "user_id"?: string;
        };
        Relationships: [];
      };
      "billing_info": {
        Row: {
          "address": string;
          "billing_cycle": string;
          "city": string;
          "company_email": string;
          "company_name": string;
          "country": string;
          "created_at": string;
          "id": string;
          "payment_method": string;
          "postal_code": string;
          "state": string;
          "tax_id": string | null;
          "team_id": string;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "address": string;
          "billing_cycle"?: string;
          "city": string;
          "company_email": string;
          "company_name": string;
          "country"?: string;
          "created_at"?: string;
          "id"?: string;
          "payment_method"?: string;
          "postal_code": string;
          "state": string;
          "tax_id"?: string | null;
          "team_id": string;
          "updated_at"?: string;
        };
        Update: {
          "address"?: string;
          "billing_cycle"?: string;
          "city"?: string;
          "company_email"?: string;
          "company_name"?: string;
          "country"?: string;
          "created_at"?: string;
          "id"?: string;
          "payment_method"?: string;
          "postal_code"?: string;
          "state"?: string;
          "tax_id"?: string | null;
          "team_id"?: string;
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "billing_info_team_id_fkey";
            columns: ["team_id"];
            isOneToOne: true;
            referencedRelation: "teams";
            referencedColumns: ["id"];
          },
        ];
      };
      "blocked_email_domains": {
        Row: {
          "created_at": string;
          "domain": string;
          "reason": string | null;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "domain": string;
          "reason"?: string | null;
        };
        Update: {
          "created_at"?: string;
          "domain"?: string;
          "reason"?: string | null;
        };
        Relationships: [];
      };
      "chat_approvals": {
        Row: {
          "answer": string | null;
          "closed": string | null;
          "created_at": string;
          "expires_at": string;
          "hello": string | null;
          "id": string;
          "reply": string | null;
          "share": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "answer"?: string | null;
          "closed"?: string | null;
          "created_at"?: string;
          "expires_at": string;
          "hello"?: string | null;
          "id": string;
          "reply"?: string | null;
          "share": string;
          "user_id": string;
        };
        Update: {
          "answer"?: string | null;
          "closed"?: string | null;
          "created_at"?: string;
          "expires_at"?: string;
          "hello"?: string | null;
          "id"?: string;
          "reply"?: string | null;
          "share"?: string;
          "user_id"?: string;
        };
        Relationships: [];
      };
      "chat_key_wraps": {
        Row: {
          "created_at": string;
          "credential_id": string | null;
          "device_id": string | null;
          "id": string;
          "iterations": number | null;
          "key_id": string;
          "kind": string;
          "last_used_at": string | null;
          "memory_kib": number | null;
          "name": string | null;
          "passes": number | null;
          "salt": string | null;
          "user_id": string;
          "wrap": string;
          "wrapped_by": string | null;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "credential_id"?: string | null;
          "device_id"?: string | null;
          "id"?: string;
          "iterations"?: number | null;
          "key_id": string;
          "kind": string;
          "last_used_at"?: string | null;
          "memory_kib"?: number | null;
          "name"?: string | null;
          "passes"?: number | null;
          "salt"?: string | null;
          "user_id": string;
          "wrap": string;
          "wrapped_by"?: string | null;
        };
        Update: {
          "created_at"?: string;
          "credential_id"?: string | null;
          "device_id"?: string | null;
          "id"?: string;
          "iterations"?: number | null;
          "key_id"?: string;
          "kind"?: string;
          "last_used_at"?: string | null;
          "memory_kib"?: number | null;
          "name"?: string | null;
          "passes"?: number | null;
          "salt"?: string | null;
          "user_id"?: string;
          "wrap"?: string;
          "wrapped_by"?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "chat_key_wraps_key_id_fkey";
            columns: ["user_id", "key_id"];
            isOneToOne: false;
            referencedRelation: "chat_keys";
            referencedColumns: ["user_id", "id"];
          },
        ];
      };
      "chat_keys": {
        Row: {
          "created_at": string;
          "epoch": number;
          "id": string;
          "proof_hash": string | null;
          "proof_number": number;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "epoch": number;
          "id": string;
          "proof_hash"?: string | null;
          "proof_number"?: number;
          "user_id": string;
        };
        Update: {
          "created_at"?: string;
          "epoch"?: number;
          "id"?: string;
          "proof_hash"?: string | null;
          "proof_number"?: number;
          "user_id"?: string;
        };
        Relationships: [];
      };
      "chat_message_cache": {
        Row: {
          "content": string;
          "content_hash": string | null;
          "content_vector": unknown;
          "created_at": string;
          "execution_time_ms": number | null;
          "id": string;
          "message_id": string;
          "model": string | null;
          "role": string;
          "session_id": string;
          "template": string | null;
          "token_count": number | null;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "content": string;
          "content_hash"?: string | null;
          "content_vector"?: never;
          "created_at"?: string;
          "execution_time_ms"?: number | null;
          "id"?: string;
          "message_id": string;
          "model"?: string | null;
          "role": string;
          "session_id": string;
          "template"?: string | null;
          "token_count"?: number | null;
          "user_id"?: string;
        };
        Update: {
          "content"?: string;
          "content_hash"?: string | null;
          "content_vector"?: never;
          "created_at"?: string;
          "execution_time_ms"?: number | null;
          "id"?: string;
          "message_id"?: string;
          "model"?: string | null;
          "role"?: string;
          "session_id"?: string;
          "template"?: string | null;
          "token_count"?: number | null;
          "user_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "chat_message_cache_session_id_fkey";
            columns: ["session_id"];
            isOneToOne: false;
            referencedRelation: "chat_sessions";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "chat_message_cache_session_id_fkey";
            columns: ["session_id"];
            isOneToOne: false;
            referencedRelation: "chat_sessions_with_counts";
            referencedColumns: ["id"];
          },
        ];
      };
      "chat_messages": {
        Row: {
          "audio_url": string | null;
          "content": string | null;
          "created_at": string;
          "feedback": Json | null;
          "id": string;
          "sender": string;
          "session_id": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "audio_url"?: string | null;
          "content"?: string | null;
          "created_at"?: string;
          "feedback"?: Json | null;
          "id"?: string;
          "sender": string;
          "session_id": string;
          "user_id"?: string;
        };
        Update: {
          "audio_url"?: string | null;
          "content"?: string | null;
          "created_at"?: string;
          "feedback"?: Json | null;
          "id"?: string;
          "sender"?: string;
          "session_id"?: string;
          "user_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "chat_messages_session_id_fkey";
            columns: ["session_id"];
            isOneToOne: false;
            referencedRelation: "chat_sessions";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "chat_messages_session_id_fkey";
            columns: ["session_id"];
            isOneToOne: false;
            referencedRelation: "chat_sessions_with_counts";
            referencedColumns: ["id"];
          },
        ];
      };
      "chat_segments": {
        Row: {
          "chat_id": string;
          "created_at": string;
          "encrypted_data": string;
          "key_id": string;
          "number": number;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "chat_id": string;
          "created_at"?: string;
          "encrypted_data": string;
          "key_id": string;
          "number": number;
          "user_id": string;
        };
        Update: {
          "chat_id"?: string;
          "created_at"?: string;
          "encrypted_data"?: string;
          "key_id"?: string;
          "number"?: number;
          "user_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "chat_segments_chat_id_fkey";
            columns: ["user_id", "chat_id"];
            isOneToOne: false;
            referencedRelation: "encrypted_chats";
            referencedColumns: ["user_id", "id"];
          },
        ];
      };
      "chat_sessions": {
        Row: {
          "created_at": string;
          "estimated_cost": number;
          "id": string;
          "last_activity": string;
          "message_count": number;
          "metadata": NonNullable<Json>;
          "model": string | null;
          "s3_messages_key": string | null;
          "s3_metadata_key": string | null;
          "scenario_id": string | null;
          "score": number | null;
          "session_id": string;
          "status": string;
          "team_id": string | null;
          "template": string | null;
          "title": string | null;
          "total_tokens": number;
          "updated_at": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "estimated_cost"?: number;
          "id"?: string;
          "last_activity"?: string;
          "message_count"?: number;
          "metadata"?: NonNullable<Json>;
          "model"?: string | null;
          "s3_messages_key"?: string | null;
          "s3_metadata_key"?: string | null;
          "scenario_id"?: string | null;
          "score"?: number | null;
          "session_id"?: string;
          "status"?: string;
          "team_id"?: string | null;
          "template"?: string | null;
          "title"?: string | null;
          "total_tokens"?: number;
          "updated_at"?: string;
          "user_id": string;
        };
        Update: {
          "created_at"?: string;
          "estimated_cost"?: number;
          "id"?: string;
          "last_activity"?: string;
          "message_count"?: number;
          "metadata"?: NonNullable<Json>;
          "model"?: string | null;
          "s3_messages_key"?: string | null;
          "s3_metadata_key"?: string | null;
          "scenario_id"?: string | null;
          "score"?: number | null;
          "session_id"?: string;
          "status"?: string;
          "team_id"?: string | null;
          "template"?: string | null;
          "title"?: string | null;
          "total_tokens"?: number;
          "updated_at"?: string;
          "user_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "chat_sessions_team_id_fkey";
            columns: ["team_id"];
            isOneToOne: false;
            referencedRelation: "teams";
            referencedColumns: ["id"];
          },
        ];
      };
      "conversation_threads": {
        Row: {
          "created_at": string;
          "created_by": string;
          "id": string;
          "is_archived": boolean;
          "name": string;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "created_by": string;
          "id"?: string;
          "is_archived"?: boolean;
          "name": string;
          "updated_at"?: string;
        };
        Update: {
          "created_at"?: string;
          "created_by"?: string;
          "id"?: string;
          "is_archived"?: boolean;
          "name"?: string;
          "updated_at"?: string;
        };
        Relationships: [];
      };
      "conversations": {
        Row: {
          "client_id": string | null;
          "created_at": string;
          "id": string;
          "system_prompt": string | null;
          "title": string | null;
          "updated_at": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "client_id"?: string | null;
          "created_at"?: string;
          "id"?: string;
          "system_prompt"?: string | null;
          "title"?: string | null;
          "updated_at"?: string;
          "user_id": string;
        };
        Update: {
          "client_id"?: string | null;
          "created_at"?: string;
          "id"?: string;
          "system_prompt"?: string | null;
          "title"?: string | null;
          "updated_at"?: string;
          "user_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "conversations_user_id_fkey";
            columns: ["user_id"];
            isOneToOne: false;
            referencedRelation: "profiles";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "conversations_user_id_fkey";
            columns: ["user_id"];
            isOneToOne: false;
            referencedRelation: "user_statistics";
            referencedColumns: ["user_id"];
          },
        ];
      };
      "credit_accounts": {
        Row: {
          "alert_armed": boolean;
          "alert_threshold": number | null;
          "balance": number;
          "created_at": string;
          "debt": number;
          "head_free": number;
          "head_grant_id": string | null;
          "head_held": number;
          "held": number;
          "id": string;
          "live_grants": number;
          "next_due_at": string | null;
          "open_holds": number;
          "overdraft_held": number;
          "overdraft_limit": number;
          "overdraft_used": number;
          "pending": number;
          "scoped_grants": number;
          "team_id": string | null;
          "unit": string;
          "updated_at": string;
          "user_id": string | null;
          "version": number;
        };
        ComputedFields: never;
        Insert: {
          "alert_armed"?: boolean;
          "alert_threshold"?: number | null;
          "balance"?: number;
          "created_at"?: string;
          "debt"?: number;
          "head_free"?: number;
          "head_grant_id"?: string | null;
          "head_held"?: number;
          "held"?: number;
          "id"?: string;
          "live_grants"?: number;
          "next_due_at"?: string | null;
          "open_holds"?: number;
          "overdraft_held"?: number;
          "overdraft_limit"?: number;
          "overdraft_used"?: number;
          "pending"?: number;
          "scoped_grants"?: number;
          "team_id"?: string | null;
          "unit"?: string;
          "updated_at"?: string;
          "user_id"?: string | null;
          "version"?: number;
        };
        Update: {
          "alert_armed"?: boolean;
          "alert_threshold"?: number | null;
          "balance"?: number;
          "created_at"?: string;
          "debt"?: number;
          "head_free"?: number;
          "head_grant_id"?: string | null;
          "head_held"?: number;
          "held"?: number;
          "id"?: string;
          "live_grants"?: number;
          "next_due_at"?: string | null;
          "open_holds"?: number;
          "overdraft_held"?: number;
          "overdraft_limit"?: number;
          "overdraft_used"?: number;
          "pending"?: number;
          "scoped_grants"?: number;
          "team_id"?: string | null;
          "unit"?: string;
          "updated_at"?: string;
          "user_id"?: string | null;
          "version"?: number;
        };
        Relationships: [
          {
            foreignKeyName: "credit_accounts_team_id_fkey";
            columns: ["team_id"];
            isOneToOne: false;
            referencedRelation: "teams";
            referencedColumns: ["id"];
          },
        ];
      };
      "credit_alerts": {
        Row: {
          "account_id": string;
          "available": number;
          "created_at": string;
          "id": string;
          "threshold": number;
          "unit": string;
        };
        ComputedFields: never;
        Insert: {
          "account_id": string;
          "available": number;
          "created_at"?: string;
          "id"?: string;
          "threshold": number;
          "unit"?: string;
        };
        Update: {
          "account_id"?: string;
          "available"?: number;
          "created_at"?: string;
          "id"?: string;
          "threshold"?: number;
          "unit"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "credit_alerts_account_id_fkey";
            columns: ["account_id"];
            isOneToOne: false;
            referencedRelation: "credit_accounts";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "credit_alerts_account_id_fkey";
            columns: ["account_id"];
            isOneToOne: false;
            referencedRelation: "credit_balances";
            referencedColumns: ["account_id"];
          },
          {
            foreignKeyName: "credit_alerts_account_id_fkey";
            columns: ["account_id"];
            isOneToOne: false;
            referencedRelation: "credit_ledger_heads";
            referencedColumns: ["account_id"];
          },
          {
            foreignKeyName: "credit_alerts_account_id_fkey";
            columns: ["account_id"];
            isOneToOne: false;
            referencedRelation: "team_credits";
            referencedColumns: ["account_id"];
          },
          {
            foreignKeyName: "credit_alerts_account_id_fkey";
            columns: ["account_id"];
            isOneToOne: false;
            referencedRelation: "user_credits";
            referencedColumns: ["account_id"];
          },
        ];
      };
      "credit_member_limits": {
        Row: {
          "credit_limit": number | null;
          "period": string;
          "period_start": string;
          "spent": number;
          "team_id": string;
          "updated_at": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "credit_limit"?: number | null;
          "period"?: string;
          "period_start"?: string;
          "spent"?: number;
          "team_id": string;
          "updated_at"?: string;
          "user_id": string;
        };
        Update: {
          "credit_limit"?: number | null;
          "period"?: string;
          "period_start"?: string;
          "spent"?: number;
          "team_id"?: string;
          "updated_at"?: string;
          "user_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "credit_member_limits_member_fkey";
            columns: ["team_id", "user_id"];
            isOneToOne: true;
            referencedRelation: "team_members";
            referencedColumns: ["team_id", "user_id"];
          },
        ];
      };
      "credit_prices": {
        Row: {
          "created_at": string;
          "credit_unit": string;
          "effective_from": string;
          "price": number;
          "quantity_scale": number;
          "sku": string;
          "unit": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "credit_unit"?: string;
          "effective_from"?: string;
          "price": number;
          "quantity_scale"?: number;
          "sku": string;
          "unit": string;
        };
        Update: {
          "created_at"?: string;
          "credit_unit"?: string;
          "effective_from"?: string;
          "price"?: number;
          "quantity_scale"?: number;
          "sku"?: string;
          "unit"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "credit_prices_credit_unit_fkey";
            columns: ["credit_unit"];
            isOneToOne: false;
            referencedRelation: "credit_units";
            referencedColumns: ["unit"];
          },
        ];
      };
      "credit_unit_limits": {
        Row: {
          "credit_limit": number | null;
          "period": string;
          "period_start": string;
          "spent": number;
          "team_id": string;
          "unit": string;
          "updated_at": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "credit_limit"?: number | null;
          "period"?: string;
          "period_start"?: string;
          "spent"?: number;
          "team_id": string;
          "unit": string;
          "updated_at"?: string;
          "user_id": string;
        };
        Update: {
          "credit_limit"?: number | null;
          "period"?: string;
          "period_start"?: string;
          "spent"?: number;
          "team_id"?: string;
          "unit"?: string;
          "updated_at"?: string;
          "user_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "credit_unit_limits_member_fkey";
            columns: ["team_id", "user_id"];
            isOneToOne: false;
            referencedRelation: "team_members";
            referencedColumns: ["team_id", "user_id"];
          },
          {
            foreignKeyName: "credit_unit_limits_unit_fkey";
            columns: ["unit"];
            isOneToOne: false;
            referencedRelation: "credit_units";
            referencedColumns: ["unit"];
          },
        ];
      };
      "credit_units": {
        Row: {
          "created_at": string;
          "description": string | null;
          "unit": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "description"?: string | null;
          "unit": string;
        };
        Update: {
          "created_at"?: string;
          "description"?: string | null;
          "unit"?: string;
        };
        Relationships: [];
      };
      "customization_preferences": {
        Row: {
          "allow_markdown_tool_calls": boolean;
          "auto_send_voice_transcription": boolean;
          "created_at": string;
          "image_gen_custom_height": number;
          "image_gen_custom_width": number;
          "image_gen_default_size": string;
          "image_gen_enabled": boolean;
          "image_gen_use_custom_size": boolean;
          "include_all_images_in_history": boolean;
          "include_reasoning_in_history": boolean;
          "include_recent_images_in_history": boolean;
          "show_model_info": boolean;
          "show_reasoning_tokens": boolean;
          "show_tool_calls": boolean;
          "show_tps": boolean;
          "tool_calling_enabled": boolean;
          "tool_discovery_mode": boolean;
          "updated_at": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "allow_markdown_tool_calls"?: boolean;
          "auto_send_voice_transcription"?: boolean;
          "created_at"?: string;
          "image_gen_custom_height"?: number;
          "image_gen_custom_width"?: number;
          "image_gen_default_size"?: string;
          "image_gen_enabled"?: boolean;
          "image_gen_use_custom_size"?: boolean;
          "include_all_images_in_history"?: boolean;
          "include_reasoning_in_history"?: boolean;
          "include_recent_images_in_history"?: boolean;
          "show_model_info"?: boolean;
          "show_reasoning_tokens"?: boolean;
          "show_tool_calls"?: boolean;
          "show_tps"?: boolean;
          "tool_calling_enabled"?: boolean;
          "tool_discovery_mode"?: boolean;
          "updated_at"?: string;
          "user_id": string;
        };
        Update: {
          "allow_markdown_tool_calls"?: boolean;
          "auto_send_voice_transcription"?: boolean;
          "created_at"?: string;
          "image_gen_custom_height"?: number;
          "image_gen_custom_width"?: number;
          "image_gen_default_size"?: string;
          "image_gen_enabled"?: boolean;
          "image_gen_use_custom_size"?: boolean;
          "include_all_images_in_history"?: boolean;
          "include_reasoning_in_history"?: boolean;
          "include_recent_images_in_history"?: boolean;
          "show_model_info"?: boolean;
          "show_reasoning_tokens"?: boolean;
          "show_tool_calls"?: boolean;
          "show_tps"?: boolean;
          "tool_calling_enabled"?: boolean;
          "tool_discovery_mode"?: boolean;
          "updated_at"?: string;
          "user_id"?: string;
        };
        Relationships: [];
      };
      "encrypted_chats": {
        Row: {
          "bytes": number;
          "created_at": string;
          "custom_name": string | null;
          "data_version": number;
          "encrypted_data": string;
          "encrypted_title": string | null;
          "head": string | null;
          "id": string;
          "image_paths": (string)[] | null;
          "is_starred": boolean;
          "key_id": string | null;
          "next_segment": number;
          "segment_bytes": number;
          "sync_sequence": number;
          "title": string | null;
          "title_key_id": string | null;
          "updated_at": string;
          "user_id": string;
          "version": number;
        };
        ComputedFields: never;
        Insert: {
          "bytes"?: number;
          "created_at"?: string;
          "custom_name"?: string | null;
          "data_version"?: number;
          "encrypted_data": string;
          "encrypted_title"?: string | null;
          "head"?: string | null;
          "id"?: string;
          "image_paths"?: (string)[] | null;
          "is_starred"?: boolean;
          "key_id"?: string | null;
          "next_segment"?: number;
          "segment_bytes"?: number;
          "sync_sequence"?: number;
          "title"?: string | null;
          "title_key_id"?: string | null;
          "updated_at"?: string;
          "user_id": string;
          "version"?: number;
        };
        Update: {
          "bytes"?: number;
          "created_at"?: string;
          "custom_name"?: string | null;
          "data_version"?: number;
          "encrypted_data"?: string;
          "encrypted_title"?: string | null;
          "head"?: string | null;
          "id"?: string;
          "image_paths"?: (string)[] | null;
          "is_starred"?: boolean;
          "key_id"?: string | null;
          "next_segment"?: number;
          "segment_bytes"?: number;
          "sync_sequence"?: number;
          "title"?: string | null;
          "title_key_id"?: string | null;
          "updated_at"?: string;
          "user_id"?: string;
          "version"?: number;
        };
        Relationships: [];
      };
      "file_uploads": {
        Row: {
          "bucket_name": string;
          "chat_id": string | null;
          "created_at": string;
          "expires_at": string | null;
          "file_name": string;
          "file_path": string;
          "file_size": number | null;
          "id": string;
          "is_public": boolean;
          "metadata": NonNullable<Json>;
          "mime_type": string | null;
          "project_id": string | null;
          "refusal": Json | null;
          "replaced_version": string | null;
          "status": string;
          "updated_at": string;
          "upload_path": string | null;
          "user_id": string;
          "verified_at": string | null;
        };
        ComputedFields: never;
        Insert: {
          "bucket_name": string;
          "chat_id"?: string | null;
          "created_at"?: string;
          "expires_at"?: string | null;
          "file_name": string;
          "file_path": string;
          "file_size"?: number | null;
          "id"?: string;
          "is_public"?: boolean;
          "metadata"?: NonNullable<Json>;
          "mime_type"?: string | null;
          "project_id"?: string | null;
          "refusal"?: Json | null;
          "replaced_version"?: string | null;
          "status"?: string;
          "updated_at"?: string;
          "upload_path"?: string | null;
          "user_id": string;
          "verified_at"?: string | null;
        };
        Update: {
          "bucket_name"?: string;
          "chat_id"?: string | null;
          "created_at"?: string;
          "expires_at"?: string | null;
          "file_name"?: string;
          "file_path"?: string;
          "file_size"?: number | null;
          "id"?: string;
          "is_public"?: boolean;
          "metadata"?: NonNullable<Json>;
          "mime_type"?: string | null;
          "project_id"?: string | null;
          "refusal"?: Json | null;
          "replaced_version"?: string | null;
          "status"?: string;
          "updated_at"?: string;
          "upload_path"?: string | null;
          "user_id"?: string;
          "verified_at"?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "file_uploads_chat_id_fkey";
            columns: ["user_id", "chat_id"];
            isOneToOne: false;
            referencedRelation: "encrypted_chats";
            referencedColumns: ["user_id", "id"];
          },
          {
            foreignKeyName: "file_uploads_project_id_fkey";
            columns: ["project_id"];
            isOneToOne: false;
            referencedRelation: "project_stats";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "file_uploads_project_id_fkey";
            columns: ["project_id"];
            isOneToOne: false;
            referencedRelation: "projects";
            referencedColumns: ["id"];
          },
        ];
      };
      "fragment_executions": {
        Row: {
          "cell_results": Json | null;
          "completed_at": string | null;
          "execution_time_ms": number | null;
          "execution_url": string | null;
          "fragment_id": string;
          "id": string;
          "metadata": NonNullable<Json>;
          "runtime_error": string | null;
          "sandbox_id": string | null;
          "started_at": string;
          "status": string;
          "stderr": string | null;
          "stdout": string | null;
          "template": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "cell_results"?: Json | null;
          "completed_at"?: string | null;
          "execution_time_ms"?: number | null;
          "execution_url"?: string | null;
          "fragment_id": string;
          "id"?: string;
          "metadata"?: NonNullable<Json>;
          "runtime_error"?: string | null;
          "sandbox_id"?: string | null;
          "started_at"?: string;
          "status"?: string;
          "stderr"?: string | null;
          "stdout"?: string | null;
          "template": string;
          "user_id": string;
        };
        Update: {
          "cell_results"?: Json | null;
          "completed_at"?: string | null;
          "execution_time_ms"?: number | null;
          "execution_url"?: string | null;
          "fragment_id"?: string;
          "id"?: string;
          "metadata"?: NonNullable<Json>;
          "runtime_error"?: string | null;
          "sandbox_id"?: string | null;
          "started_at"?: string;
          "status"?: string;
          "stderr"?: string | null;
          "stdout"?: string | null;
          "template"?: string;
          "user_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "fragment_executions_fragment_id_fkey";
            columns: ["fragment_id"];
            isOneToOne: false;
            referencedRelation: "fragments";
            referencedColumns: ["id"];
          },
        ];
      };
      "fragments": {
        Row: {
          "additional_dependencies": (string)[] | null;
          "code": string;
          "created_at": string;
          "description": string | null;
          "file_path": string;
          "has_additional_dependencies": boolean;
          "id": string;
          "install_dependencies_command": string | null;
          "is_public": boolean;
          "metadata": NonNullable<Json>;
          "port": number | null;
          "project_id": string | null;
          "template": string;
          "title": string;
          "updated_at": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "additional_dependencies"?: (string)[] | null;
          "code": string;
          "created_at"?: string;
          "description"?: string | null;
          "file_path": string;
          "has_additional_dependencies"?: boolean;
          "id"?: string;
          "install_dependencies_command"?: string | null;
          "is_public"?: boolean;
          "metadata"?: NonNullable<Json>;
          "port"?: number | null;
          "project_id"?: string | null;
          "template": string;
          "title": string;
          "updated_at"?: string;
          "user_id": string;
        };
        Update: {
          "additional_dependencies"?: (string)[] | null;
          "code"?: string;
          "created_at"?: string;
          "description"?: string | null;
          "file_path"?: string;
          "has_additional_dependencies"?: boolean;
          "id"?: string;
          "install_dependencies_command"?: string | null;
          "is_public"?: boolean;
          "metadata"?: NonNullable<Json>;
          "port"?: number | null;
          "project_id"?: string | null;
          "template"?: string;
          "title"?: string;
          "updated_at"?: string;
          "user_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "fragments_project_id_fkey";
            columns: ["project_id"];
            isOneToOne: false;
            referencedRelation: "project_stats";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "fragments_project_id_fkey";
            columns: ["project_id"];
            isOneToOne: false;
            referencedRelation: "projects";
            referencedColumns: ["id"];
          },
        ];
      };
      "journal_entries": {
        Row: {
          "content": string;
          "created_at": string;
          "id": string;
          "is_private": boolean;
          "mood": string | null;
          "tags": (string)[] | null;
          "title": string | null;
          "updated_at": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "content": string;
          "created_at"?: string;
          "id"?: string;
          "is_private"?: boolean;
          "mood"?: string | null;
          "tags"?: (string)[] | null;
          "title"?: string | null;
          "updated_at"?: string;
          "user_id": string;
        };
        Update: {
          "content"?: string;
          "created_at"?: string;
          "id"?: string;
          "is_private"?: boolean;
          "mood"?: string | null;
          "tags"?: (string)[] | null;
          "title"?: string | null;
          "updated_at"?: string;
          "user_id"?: string;
        };
        Relationships: [];
      };
      "messages": {
        Row: {
          "author_id": string | null;
          "client_id": string | null;
          "content": NonNullable<Json>;
          "conversation_id": string | null;
          "created_at": string;
          "hold_id": string | null;
          "id": string;
          "metadata": NonNullable<Json>;
          "object_data": Json | null;
          "project_id": string | null;
          "result_data": Json | null;
          "role": Database["public"]["Enums"]["message_role_enum"];
          "sequence_number": number | null;
          "status": string;
          "updated_at": string;
          "user_id": string | null;
        };
        ComputedFields: never;
        Insert: {
          "author_id"?: string | null;
          "client_id"?: string | null;
          "content": NonNullable<Json>;
          "conversation_id"?: string | null;
          "created_at"?: string;
          "hold_id"?: string | null;
          "id"?: string;
          "metadata"?: NonNullable<Json>;
          "object_data"?: Json | null;
          "project_id"?: string | null;
          "result_data"?: Json | null;
          "role": Database["public"]["Enums"]["message_role_enum"];
          "sequence_number"?: number | null;
          "status"?: string;
          "updated_at"?: string;
          "user_id"?: string | null;
        };
        Update: {
          "author_id"?: string | null;
          "client_id"?: string | null;
          "content"?: NonNullable<Json>;
          "conversation_id"?: string | null;
          "created_at"?: string;
          "hold_id"?: string | null;
          "id"?: string;
          "metadata"?: NonNullable<Json>;
          "object_data"?: Json | null;
          "project_id"?: string | null;
          "result_data"?: Json | null;
          "role"?: Database["public"]["Enums"]["message_role_enum"];
          "sequence_number"?: number | null;
          "status"?: string;
          "updated_at"?: string;
          "user_id"?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "messages_conversation_id_fkey";
            columns: ["conversation_id"];
            isOneToOne: false;
            referencedRelation: "conversations";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "messages_project_id_fkey";
            columns: ["project_id"];
            isOneToOne: false;
            referencedRelation: "project_stats";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "messages_project_id_fkey";
            columns: ["project_id"];
            isOneToOne: false;
            referencedRelation: "projects";
            referencedColumns: ["id"];
          },
        ];
      };
      "model_providers": {
        Row: {
          "base_url": string | null;
          "created_at": string;
          "name": string;
          "output_limit_name": string;
          "secret_name": string;
          "stream_options": boolean;
        };
        ComputedFields: never;
        Insert: {
          "base_url"?: string | null;
          "created_at"?: string;
          "name": string;
          "output_limit_name"?: string;
          "secret_name": string;
          "stream_options"?: boolean;
        };
        Update: {
          "base_url"?: string | null;
          "created_at"?: string;
          "name"?: string;
          "output_limit_name"?: string;
          "secret_name"?: string;
          "stream_options"?: boolean;
        };
        Relationships: [];
      };
      "models": {
        Row: {
          "cached_input_price": number | null;
          "capabilities": (string)[];
          "context_tokens": number;
          "created_at": string;
          "enabled": boolean;
          "endpoint_model": string;
          "fallback": string | null;
          "input_price": number;
          "name": string;
          "output_price": number;
          "output_tokens": number;
          "provider": string;
          "rank": number;
          "reasoning_price": number | null;
          "requests_per_minute": number | null;
          "tiers": (string)[] | null;
          "valid_from": string;
        };
        ComputedFields: never;
        Insert: {
          "cached_input_price"?: number | null;
          "capabilities"?: (string)[];
          "context_tokens": number;
          "created_at"?: string;
          "enabled"?: boolean;
          "endpoint_model": string;
          "fallback"?: string | null;
          "input_price": number;
          "name": string;
          "output_price": number;
          "output_tokens": number;
          "provider": string;
          "rank"?: number;
          "reasoning_price"?: number | null;
          "requests_per_minute"?: number | null;
          "tiers"?: (string)[] | null;
          "valid_from"?: string;
        };
        Update: {
          "cached_input_price"?: number | null;
          "capabilities"?: (string)[];
          "context_tokens"?: number;
          "created_at"?: string;
          "enabled"?: boolean;
          "endpoint_model"?: string;
          "fallback"?: string | null;
          "input_price"?: number;
          "name"?: string;
          "output_price"?: number;
          "output_tokens"?: number;
          "provider"?: string;
          "rank"?: number;
          "reasoning_price"?: number | null;
          "requests_per_minute"?: number | null;
          "tiers"?: (string)[] | null;
          "valid_from"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "models_provider_fkey";
            columns: ["provider"];
            isOneToOne: false;
            referencedRelation: "model_providers";
            referencedColumns: ["name"];
          },
        ];
      };
      "profiles": {
        Row: {
          "created_at": string;
          "display_name": string | null;
          "id": string;
          "preferences": NonNullable<Json>;
          "updated_at": string;
          "credits": number | null;
        };
        ComputedFields: "credits";
        Insert: {
          "created_at"?: string;
          "display_name"?: string | null;
          "id": string;
          "preferences"?: NonNullable<Json>;
          "updated_at"?: string;
        };
        Update: {
          "created_at"?: string;
          "display_name"?: string | null;
          "id"?: string;
          "preferences"?: NonNullable<Json>;
          "updated_at"?: string;
        };
        Relationships: [];
      };
      "project_chats": {
        Row: {
          "added_at": string;
          "chat_id": string;
          "created_at": string;
          "id": string;
          "project_id": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "added_at"?: string;
          "chat_id": string;
          "created_at"?: string;
          "id"?: string;
          "project_id": string;
          "user_id": string;
        };
        Update: {
          "added_at"?: string;
          "chat_id"?: string;
          "created_at"?: string;
          "id"?: string;
          "project_id"?: string;
          "user_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "project_chats_chat_id_fkey";
            columns: ["user_id", "chat_id"];
            isOneToOne: false;
            referencedRelation: "encrypted_chats";
            referencedColumns: ["user_id", "id"];
          },
          {
            foreignKeyName: "project_chats_project_id_fkey";
            columns: ["project_id"];
            isOneToOne: false;
            referencedRelation: "project_stats";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "project_chats_project_id_fkey";
            columns: ["project_id"];
            isOneToOne: false;
            referencedRelation: "projects";
            referencedColumns: ["id"];
          },
        ];
      };
      "project_files": {
        Row: {
          "created_at": string;
          "file_name": string;
          "file_size": number;
          "file_type": string;
          "id": string;
          "markdown_summary": string | null;
          "project_id": string;
          "storage_path": string;
          "updated_at": string;
          "uploaded_at": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "file_name": string;
          "file_size": number;
          "file_type": string;
          "id"?: string;
          "markdown_summary"?: string | null;
          "project_id": string;
          "storage_path": string;
          "updated_at"?: string;
          "uploaded_at"?: string;
          "user_id"?: string;
        };
        Update: {
          "created_at"?: string;
          "file_name"?: string;
          "file_size"?: number;
          "file_type"?: string;
          "id"?: string;
          "markdown_summary"?: string | null;
          "project_id"?: string;
          "storage_path"?: string;
          "updated_at"?: string;
          "uploaded_at"?: string;
          "user_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "project_files_project_id_fkey";
            columns: ["project_id"];
            isOneToOne: false;
            referencedRelation: "project_stats";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "project_files_project_id_fkey";
            columns: ["project_id"];
            isOneToOne: false;
            referencedRelation: "projects";
            referencedColumns: ["id"];
          },
        ];
      };
      "projects": {
        Row: {
          "created_at": string;
          "deleted_at": string | null;
          "description": string | null;
          "id": string;
          "is_archived": boolean;
          "is_public": boolean;
          "message_editing": Database["public"]["Enums"]["message_editing_enum"];
          "metadata": NonNullable<Json>;
          "status": Database["public"]["Enums"]["project_status_enum"];
          "system_prompt": string | null;
          "team_id": string | null;
          "template_id": string | null;
          "title": string;
          "updated_at": string;
          "user_id": string;
          "name": string | null;
        };
        ComputedFields: "name";
        Insert: {
          "created_at"?: string;
          "deleted_at"?: string | null;
          "description"?: string | null;
          "id"?: string;
          "is_archived"?: boolean;
          "is_public"?: boolean;
          "message_editing"?: Database["public"]["Enums"]["message_editing_enum"];
          "metadata"?: NonNullable<Json>;
          "status"?: Database["public"]["Enums"]["project_status_enum"];
          "system_prompt"?: string | null;
          "team_id"?: string | null;
          "template_id"?: string | null;
          "title": string;
          "updated_at"?: string;
          "user_id": string;
        };
        Update: {
          "created_at"?: string;
          "deleted_at"?: string | null;
          "description"?: string | null;
          "id"?: string;
          "is_archived"?: boolean;
          "is_public"?: boolean;
          "message_editing"?: Database["public"]["Enums"]["message_editing_enum"];
          "metadata"?: NonNullable<Json>;
          "status"?: Database["public"]["Enums"]["project_status_enum"];
          "system_prompt"?: string | null;
          "team_id"?: string | null;
          "template_id"?: string | null;
          "title"?: string;
          "updated_at"?: string;
          "user_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "projects_team_id_fkey";
            columns: ["team_id"];
            isOneToOne: false;
            referencedRelation: "teams";
            referencedColumns: ["id"];
          },
        ];
      };
      "replaced_messages": {
        Row: {
          "client_id": string | null;
          "content": NonNullable<Json>;
          "conversation_id": string | null;
          "created_at": string;
          "id": string;
          "message_id": string;
          "metadata": NonNullable<Json>;
          "object_data": Json | null;
          "parent_id": string | null;
          "project_id": string | null;
          "replaced_at": string;
          "result_data": Json | null;
          "role": Database["public"]["Enums"]["message_role_enum"];
          "sequence_number": number | null;
          "status": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "client_id"?: string | null;
          "content": NonNullable<Json>;
          "conversation_id"?: string | null;
          "created_at": string;
          "id"?: string;
          "message_id": string;
          "metadata": NonNullable<Json>;
          "object_data"?: Json | null;
          "parent_id"?: string | null;
          "project_id"?: string | null;
          "replaced_at"?: string;
          "result_data"?: Json | null;
          "role": Database["public"]["Enums"]["message_role_enum"];
          "sequence_number"?: number | null;
          "status": string;
          "user_id": string;
        };
        Update: {
          "client_id"?: string | null;
          "content"?: NonNullable<Json>;
          "conversation_id"?: string | null;
          "created_at"?: string;
          "id"?: string;
          "message_id"?: string;
          "metadata"?: NonNullable<Json>;
          "object_data"?: Json | null;
          "parent_id"?: string | null;
          "project_id"?: string | null;
          "replaced_at"?: string;
          "result_data"?: Json | null;
          "role"?: Database["public"]["Enums"]["message_role_enum"];
          "sequence_number"?: number | null;
          "status"?: string;
          "user_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "replaced_messages_conversation_id_fkey";
            columns: ["conversation_id"];
            isOneToOne: false;
            referencedRelation: "conversations";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "replaced_messages_project_id_fkey";
            columns: ["project_id"];
            isOneToOne: false;
            referencedRelation: "project_stats";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "replaced_messages_project_id_fkey";
            columns: ["project_id"];
            isOneToOne: false;
            referencedRelation: "projects";
            referencedColumns: ["id"];
          },
        ];
      };
      "site_visits": {
        Row: {
          "id": string;
          "path": string;
          "referrer": string | null;
          "timestamp": string;
          "user_agent": string | null;
        };
        ComputedFields: never;
        Insert: {
          "id"?: string;
          "path": string;
          "referrer"?: string | null;
          "timestamp"?: string;
          "user_agent"?: string | null;
        };
        Update: {
          "id"?: string;
          "path"?: string;
          "referrer"?: string | null;
          "timestamp"?: string;
          "user_agent"?: string | null;
        };
        Relationships: [];
      };
      "stripe_customers": {
        Row: {
          "created_at": string;
          "deleted_at": string | null;
          "id": string;
          "team_id": string | null;
          "user_id": string | null;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "deleted_at"?: string | null;
          "id": string;
          "team_id"?: string | null;
          "user_id"?: string | null;
        };
        Update: {
          "created_at"?: string;
          "deleted_at"?: string | null;
          "id"?: string;
          "team_id"?: string | null;
          "user_id"?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "stripe_customers_team_id_fkey";
            columns: ["team_id"];
            isOneToOne: false;
            referencedRelation: "teams";
            referencedColumns: ["id"];
          },
        ];
      };
      "stripe_payments": {
        Row: {
          "account_id": string;
          "amount": number;
          "created_at": string;
          "credits": number;
          "currency": string | null;
          "grant_ids": (string)[];
          "id": string;
          "lapsed": number;
          "subscription_id": string | null;
          "taken_back": number;
          "taken_from": NonNullable<Json>;
          "unit": string;
        };
        ComputedFields: never;
        Insert: {
          "account_id": string;
          "amount": number;
          "created_at"?: string;
          "credits": number;
          "currency"?: string | null;
          "grant_ids": (string)[];
          "id": string;
          "lapsed"?: number;
          "subscription_id"?: string | null;
          "taken_back"?: number;
          "taken_from"?: NonNullable<Json>;
          "unit"?: string;
        };
        Update: {
          "account_id"?: string;
          "amount"?: number;
          "created_at"?: string;
          "credits"?: number;
          "currency"?: string | null;
          "grant_ids"?: (string)[];
          "id"?: string;
          "lapsed"?: number;
          "subscription_id"?: string | null;
          "taken_back"?: number;
          "taken_from"?: NonNullable<Json>;
          "unit"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "stripe_payments_account_id_fkey";
            columns: ["account_id"];
            isOneToOne: false;
            referencedRelation: "credit_accounts";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "stripe_payments_account_id_fkey";
            columns: ["account_id"];
            isOneToOne: false;
            referencedRelation: "credit_balances";
            referencedColumns: ["account_id"];
          },
          {
            foreignKeyName: "stripe_payments_account_id_fkey";
            columns: ["account_id"];
            isOneToOne: false;
            referencedRelation: "credit_ledger_heads";
            referencedColumns: ["account_id"];
          },
          {
            foreignKeyName: "stripe_payments_account_id_fkey";
            columns: ["account_id"];
            isOneToOne: false;
            referencedRelation: "team_credits";
            referencedColumns: ["account_id"];
          },
          {
            foreignKeyName: "stripe_payments_account_id_fkey";
            columns: ["account_id"];
            isOneToOne: false;
            referencedRelation: "user_credits";
            referencedColumns: ["account_id"];
          },
        ];
      };
      "stripe_prices": {
        Row: {
          "created_at": string;
          "credit_unit": string;
          "credits": number;
          "description": string | null;
          "id": string;
          "priority": number;
          "rollover_cap": number | null;
          "skus": (string)[] | null;
          "tier": string | null;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "credit_unit"?: string;
          "credits"?: number;
          "description"?: string | null;
          "id": string;
          "priority"?: number;
          "rollover_cap"?: number | null;
          "skus"?: (string)[] | null;
          "tier"?: string | null;
          "updated_at"?: string;
        };
        Update: {
          "created_at"?: string;
          "credit_unit"?: string;
          "credits"?: number;
          "description"?: string | null;
          "id"?: string;
          "priority"?: number;
          "rollover_cap"?: number | null;
          "skus"?: (string)[] | null;
          "tier"?: string | null;
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "stripe_prices_credit_unit_fkey";
            columns: ["credit_unit"];
            isOneToOne: false;
            referencedRelation: "credit_units";
            referencedColumns: ["unit"];
          },
        ];
      };
      "stripe_subscriptions": {
        Row: {
          "cancel_at": string | null;
          "cancel_at_period_end": boolean;
          "current_period_end": string | null;
          "current_period_start": string | null;
          "customer_id": string;
          "id": string;
          "invoice_at": string | null;
          "invoice_event_id": string | null;
          "invoice_paid": boolean | null;
          "owner_named_by": string;
          "pause_collection": string | null;
          "pause_resumes_at": string | null;
          "price_ids": (string)[];
          "quantity": number | null;
          "started_at": string | null;
          "state_at": string | null;
          "state_event_id": string | null;
          "state_rank": number | null;
          "status": string | null;
          "team_id": string | null;
          "trial_end": string | null;
          "user_id": string | null;
        };
        ComputedFields: never;
        Insert: {
          "cancel_at"?: string | null;
          "cancel_at_period_end"?: boolean;
          "current_period_end"?: string | null;
          "current_period_start"?: string | null;
          "customer_id": string;
          "id": string;
          "invoice_at"?: string | null;
          "invoice_event_id"?: string | null;
          "invoice_paid"?: boolean | null;
          "owner_named_by"?: string;
          "pause_collection"?: string | null;
          "pause_resumes_at"?: string | null;
          "price_ids"?: (string)[];
          "quantity"?: number | null;
          "started_at"?: string | null;
          "state_at"?: string | null;
          "state_event_id"?: string | null;
          "state_rank"?: number | null;
          "status"?: string | null;
          "team_id"?: string | null;
          "trial_end"?: string | null;
          "user_id"?: string | null;
        };
        Update: {
          "cancel_at"?: string | null;
          "cancel_at_period_end"?: boolean;
          "current_period_end"?: string | null;
          "current_period_start"?: string | null;
          "customer_id"?: string;
          "id"?: string;
          "invoice_at"?: string | null;
          "invoice_event_id"?: string | null;
          "invoice_paid"?: boolean | null;
          "owner_named_by"?: string;
          "pause_collection"?: string | null;
          "pause_resumes_at"?: string | null;
          "price_ids"?: (string)[];
          "quantity"?: number | null;
          "started_at"?: string | null;
          "state_at"?: string | null;
          "state_event_id"?: string | null;
          "state_rank"?: number | null;
          "status"?: string | null;
          "team_id"?: string | null;
          "trial_end"?: string | null;
          "user_id"?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "stripe_subscriptions_team_id_fkey";
            columns: ["team_id"];
            isOneToOne: false;
            referencedRelation: "teams";
            referencedColumns: ["id"];
          },
        ];
      };
      "subscription_events": {
        Row: {
          "created_at": string;
          "event_data": NonNullable<Json>;
          "event_type": string;
          "id": string;
          "processed_at": string;
          "stripe_event_id": string | null;
          "team_id": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "event_data"?: NonNullable<Json>;
          "event_type": string;
          "id"?: string;
          "processed_at"?: string;
          "stripe_event_id"?: string | null;
          "team_id": string;
        };
        Update: {
          "created_at"?: string;
          "event_data"?: NonNullable<Json>;
          "event_type"?: string;
          "id"?: string;
          "processed_at"?: string;
          "stripe_event_id"?: string | null;
          "team_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "subscription_events_team_id_fkey";
            columns: ["team_id"];
            isOneToOne: false;
            referencedRelation: "teams";
            referencedColumns: ["id"];
          },
        ];
      };
      "tasks": {
        Row: {
          "branch_name": string | null;
          "created_at": string;
          "id": number;
          "logs": Json | null;
          "progress": number;
          "prompt": string;
          "repo_url": string | null;
          "sandbox_url": string | null;
          "selected_agent": string | null;
          "selected_model": string | null;
          "status": Database["public"]["Enums"]["task_status_enum"];
          "updated_at": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "branch_name"?: string | null;
          "created_at"?: string;
          "id"?: never;
          "logs"?: Json | null;
          "progress"?: number;
          "prompt": string;
          "repo_url"?: string | null;
          "sandbox_url"?: string | null;
          "selected_agent"?: string | null;
          "selected_model"?: string | null;
          "status"?: Database["public"]["Enums"]["task_status_enum"];
          "updated_at"?: string;
          "user_id": string;
        };
        Update: {
          "branch_name"?: string | null;
          "created_at"?: string;
          "id"?: never;
          "logs"?: Json | null;
          "progress"?: number;
          "prompt"?: string;
          "repo_url"?: string | null;
          "sandbox_url"?: string | null;
          "selected_agent"?: string | null;
          "selected_model"?: string | null;
          "status"?: Database["public"]["Enums"]["task_status_enum"];
          "updated_at"?: string;
          "user_id"?: string;
        };
        Relationships: [];
      };
      "team_invitations": {
        Row: {
          "answered_at": string | null;
          "created_at": string;
          "email": string | null;
          "expires_at": string;
          "id": string;
          "invited_by": string;
          "invitee_id": string | null;
          "role": string;
          "status": string;
          "team_id": string;
          "team_name": string;
        };
        ComputedFields: never;
        Insert: {
          "answered_at"?: string | null;
          "created_at"?: string;
          "email"?: string | null;
          "expires_at": string;
          "id"?: string;
          "invited_by": string;
          "invitee_id"?: string | null;
          "role": string;
          "status"?: string;
          "team_id": string;
          "team_name": string;
        };
        Update: {
          "answered_at"?: string | null;
          "created_at"?: string;
          "email"?: string | null;
          "expires_at"?: string;
          "id"?: string;
          "invited_by"?: string;
          "invitee_id"?: string | null;
          "role"?: string;
          "status"?: string;
          "team_id"?: string;
          "team_name"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "team_invitations_invited_by_fkey";
            columns: ["team_id", "invited_by"];
            isOneToOne: false;
            referencedRelation: "team_members";
            referencedColumns: ["team_id", "user_id"];
          },
          {
            foreignKeyName: "team_invitations_team_id_fkey";
            columns: ["team_id"];
            isOneToOne: false;
            referencedRelation: "teams";
            referencedColumns: ["id"];
          },
        ];
      };
      "team_members": {
        Row: {
          "created_at": string;
          "id": string;
          "role": string;
          "team_id": string;
          "updated_at": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "id"?: string;
          "role": string;
          "team_id": string;
          "updated_at"?: string;
          "user_id": string;
        };
        Update: {
          "created_at"?: string;
          "id"?: string;
          "role"?: string;
          "team_id"?: string;
          "updated_at"?: string;
          "user_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "team_members_team_id_fkey";
            columns: ["team_id"];
            isOneToOne: false;
            referencedRelation: "teams";
            referencedColumns: ["id"];
          },
        ];
      };
      "team_usage_limits": {
        Row: {
          "created_at": string;
          "current_usage": number;
          "id": string;
          "limit_value": number;
          "period_end": string;
          "period_start": string;
          "team_id": string;
          "updated_at": string;
          "usage_type": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "current_usage"?: number;
          "id"?: string;
          "limit_value"?: number;
          "period_end"?: string;
          "period_start"?: string;
          "team_id": string;
          "updated_at"?: string;
          "usage_type": string;
        };
        Update: {
          "created_at"?: string;
          "current_usage"?: number;
          "id"?: string;
          "limit_value"?: number;
          "period_end"?: string;
          "period_start"?: string;
          "team_id"?: string;
          "updated_at"?: string;
          "usage_type"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "team_usage_limits_team_id_fkey";
            columns: ["team_id"];
            isOneToOne: false;
            referencedRelation: "teams";
            referencedColumns: ["id"];
          },
        ];
      };
      "teams": {
        Row: {
          "cancel_at": string | null;
          "cancel_at_period_end": boolean;
          "created_at": string;
          "current_period_end": string | null;
          "current_period_start": string | null;
          "email": string | null;
          "id": string;
          "name": string;
          "pause_collection": string | null;
          "pause_resumes_at": string | null;
          "stripe_customer_id": string | null;
          "stripe_status": string | null;
          "stripe_subscription_id": string | null;
          "subscription_quantity": number | null;
          "subscription_status": Database["public"]["Enums"]["subscription_status_enum"];
          "tier": string;
          "trial_end": string | null;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "cancel_at"?: string | null;
          "cancel_at_period_end"?: boolean;
          "created_at"?: string;
          "current_period_end"?: string | null;
          "current_period_start"?: string | null;
          "email"?: string | null;
          "id"?: string;
          "name": string;
          "pause_collection"?: string | null;
          "pause_resumes_at"?: string | null;
          "stripe_customer_id"?: string | null;
          "stripe_status"?: string | null;
          "stripe_subscription_id"?: string | null;
          "subscription_quantity"?: number | null;
          "subscription_status"?: Database["public"]["Enums"]["subscription_status_enum"];
          "tier"?: string;
          "trial_end"?: string | null;
          "updated_at"?: string;
        };
        Update: {
          "cancel_at"?: string | null;
          "cancel_at_period_end"?: boolean;
          "created_at"?: string;
          "current_period_end"?: string | null;
          "current_period_start"?: string | null;
          "email"?: string | null;
          "id"?: string;
          "name"?: string;
          "pause_collection"?: string | null;
          "pause_resumes_at"?: string | null;
          "stripe_customer_id"?: string | null;
          "stripe_status"?: string | null;
          "stripe_subscription_id"?: string | null;
          "subscription_quantity"?: number | null;
          "subscription_status"?: Database["public"]["Enums"]["subscription_status_enum"];
          "tier"?: string;
          "trial_end"?: string | null;
          "updated_at"?: string;
        };
        Relationships: [];
      };
      "theme_settings": {
        Row: {
          "accent_color": string | null;
          "background_color": string | null;
          "created_at": string;
          "grain_enabled": boolean;
          "icon_foreground_color": string | null;
          "id": string;
          "theme_mode": string;
          "updated_at": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "accent_color"?: string | null;
          "background_color"?: string | null;
          "created_at"?: string;
          "grain_enabled"?: boolean;
          "icon_foreground_color"?: string | null;
          "id"?: string;
          "theme_mode"?: string;
          "updated_at"?: string;
          "user_id": string;
        };
        Update: {
          "accent_color"?: string | null;
          "background_color"?: string | null;
          "created_at"?: string;
          "grain_enabled"?: boolean;
          "icon_foreground_color"?: string | null;
          "id"?: string;
          "theme_mode"?: string;
          "updated_at"?: string;
          "user_id"?: string;
        };
        Relationships: [];
      };
      "user_chat_analytics": {
        Row: {
          "created_at": string;
          "estimated_storage_size_bytes": number;
          "favorite_models": (string)[] | null;
          "favorite_templates": (string)[] | null;
          "id": string;
          "last_activity": string | null;
          "model_usage": NonNullable<Json>;
          "most_active_day": number | null;
          "most_active_hour": number | null;
          "s3_objects_count": number;
          "template_usage": NonNullable<Json>;
          "total_cost": number;
          "total_messages": number;
          "total_sessions": number;
          "total_tokens": number;
          "updated_at": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "estimated_storage_size_bytes"?: number;
          "favorite_models"?: (string)[] | null;
          "favorite_templates"?: (string)[] | null;
          "id"?: string;
          "last_activity"?: string | null;
          "model_usage"?: NonNullable<Json>;
          "most_active_day"?: number | null;
          "most_active_hour"?: number | null;
          "s3_objects_count"?: number;
          "template_usage"?: NonNullable<Json>;
          "total_cost"?: number;
          "total_messages"?: number;
          "total_sessions"?: number;
          "total_tokens"?: number;
          "updated_at"?: string;
          "user_id": string;
        };
        Update: {
          "created_at"?: string;
          "estimated_storage_size_bytes"?: number;
          "favorite_models"?: (string)[] | null;
          "favorite_templates"?: (string)[] | null;
          "id"?: string;
          "last_activity"?: string | null;
          "model_usage"?: NonNullable<Json>;
          "most_active_day"?: number | null;
          "most_active_hour"?: number | null;
          "s3_objects_count"?: number;
          "template_usage"?: NonNullable<Json>;
          "total_cost"?: number;
          "total_messages"?: number;
          "total_sessions"?: number;
          "total_tokens"?: number;
          "updated_at"?: string;
          "user_id"?: string;
        };
        Relationships: [];
      };
      "user_goals": {
        Row: {
          "category": string | null;
          "completed_at": string | null;
          "created_at": string;
          "description": string | null;
          "id": string;
          "metadata": NonNullable<Json>;
          "progress_percentage": number;
          "status": string;
          "target_date": string | null;
          "title": string;
          "updated_at": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "category"?: string | null;
          "completed_at"?: string | null;
          "created_at"?: string;
          "description"?: string | null;
          "id"?: string;
          "metadata"?: NonNullable<Json>;
          "progress_percentage"?: number;
          "status"?: string;
          "target_date"?: string | null;
          "title": string;
          "updated_at"?: string;
          "user_id": string;
        };
        Update: {
          "category"?: string | null;
          "completed_at"?: string | null;
          "created_at"?: string;
          "description"?: string | null;
          "id"?: string;
          "metadata"?: NonNullable<Json>;
          "progress_percentage"?: number;
          "status"?: string;
          "target_date"?: string | null;
          "title"?: string;
          "updated_at"?: string;
          "user_id"?: string;
        };
        Relationships: [];
      };
      "user_integrations": {
        Row: {
          "connection_data": Json | null;
          "created_at": string;
          "id": string;
          "is_connected": boolean;
          "service_name": string;
          "updated_at": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "connection_data"?: Json | null;
          "created_at"?: string;
          "id"?: string;
          "is_connected"?: boolean;
          "service_name": string;
          "updated_at"?: string;
          "user_id": string;
        };
        Update: {
          "connection_data"?: Json | null;
          "created_at"?: string;
          "id"?: string;
          "is_connected"?: boolean;
          "service_name"?: string;
          "updated_at"?: string;
          "user_id"?: string;
        };
        Relationships: [];
      };
      "user_preferences": {
        Row: {
          "ai_assistance": boolean;
          "analytics_enabled": boolean;
          "created_at": string;
          "data_sharing_enabled": boolean;
          "email_notifications": boolean;
          "font_family": string;
          "id": string;
          "marketing_emails": boolean;
          "preferences": NonNullable<Json>;
          "security_alerts": boolean;
          "selected_model_id": string | null;
          "smart_suggestions": boolean;
          "system_prompt": string | null;
          "theme": string;
          "updated_at": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "ai_assistance"?: boolean;
          "analytics_enabled"?: boolean;
          "created_at"?: string;
          "data_sharing_enabled"?: boolean;
          "email_notifications"?: boolean;
          "font_family"?: string;
          "id"?: string;
          "marketing_emails"?: boolean;
          "preferences"?: NonNullable<Json>;
          "security_alerts"?: boolean;
          "selected_model_id"?: string | null;
          "smart_suggestions"?: boolean;
          "system_prompt"?: string | null;
          "theme"?: string;
          "updated_at"?: string;
          "user_id": string;
        };
        Update: {
          "ai_assistance"?: boolean;
          "analytics_enabled"?: boolean;
          "created_at"?: string;
          "data_sharing_enabled"?: boolean;
          "email_notifications"?: boolean;
          "font_family"?: string;
          "id"?: string;
          "marketing_emails"?: boolean;
          "preferences"?: NonNullable<Json>;
          "security_alerts"?: boolean;
          "selected_model_id"?: string | null;
          "smart_suggestions"?: boolean;
          "system_prompt"?: string | null;
          "theme"?: string;
          "updated_at"?: string;
          "user_id"?: string;
        };
        Relationships: [];
      };
      "user_profiles": {
        Row: {
          "age": number | null;
          "anxiety_frequency": string | null;
          "avatar_url": string | null;
          "challenges": (string)[] | null;
          "communication_style": string | null;
          "confidence_level": string | null;
          "created_at": string;
          "display_name": string | null;
          "first_name": string | null;
          "full_name": string | null;
          "gender": string | null;
          "id": string;
          "last_name": string | null;
          "main_goals": (string)[] | null;
          "name": string | null;
          "onboarding_completed": boolean;
          "tried_coaching_before": string | null;
          "updated_at": string;
          "user_id": string;
          "work_description": string | null;
        };
        ComputedFields: never;
        Insert: {
          "age"?: number | null;
          "anxiety_frequency"?: string | null;
          "avatar_url"?: string | null;
          "challenges"?: (string)[] | null;
          "communication_style"?: string | null;
          "confidence_level"?: string | null;
          "created_at"?: string;
          "display_name"?: string | null;
          "first_name"?: string | null;
          "full_name"?: string | null;
          "gender"?: string | null;
          "id"?: string;
          "last_name"?: string | null;
          "main_goals"?: (string)[] | null;
          "name"?: string | null;
          "onboarding_completed"?: boolean;
          "tried_coaching_before"?: string | null;
          "updated_at"?: string;
          "user_id": string;
          "work_description"?: string | null;
        };
        Update: {
          "age"?: number | null;
          "anxiety_frequency"?: string | null;
          "avatar_url"?: string | null;
          "challenges"?: (string)[] | null;
          "communication_style"?: string | null;
          "confidence_level"?: string | null;
          "created_at"?: string;
          "display_name"?: string | null;
          "first_name"?: string | null;
          "full_name"?: string | null;
          "gender"?: string | null;
          "id"?: string;
          "last_name"?: string | null;
          "main_goals"?: (string)[] | null;
          "name"?: string | null;
          "onboarding_completed"?: boolean;
          "tried_coaching_before"?: string | null;
          "updated_at"?: string;
          "user_id"?: string;
          "work_description"?: string | null;
        };
        Relationships: [];
      };
      "user_progress": {
        Row: {
          "created_at": string;
          "id": string;
          "metadata": NonNullable<Json>;
          "metric_type": string;
          "metric_value": number;
          "updated_at": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "id"?: string;
          "metadata"?: NonNullable<Json>;
          "metric_type": string;
          "metric_value"?: number;
          "updated_at"?: string;
          "user_id": string;
        };
        Update: {
          "created_at"?: string;
          "id"?: string;
          "metadata"?: NonNullable<Json>;
          "metric_type"?: string;
          "metric_value"?: number;
          "updated_at"?: string;
          "user_id"?: string;
        };
        Relationships: [];
      };
      "user_security_settings": {
        Row: {
          "backup_codes": (string)[] | null;
          "created_at": string;
          "id": string;
          "last_password_change": string | null;
          "login_notifications": boolean;
          "two_factor_enabled": boolean;
          "updated_at": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "backup_codes"?: (string)[] | null;
          "created_at"?: string;
          "id"?: string;
          "last_password_change"?: string | null;
          "login_notifications"?: boolean;
          "two_factor_enabled"?: boolean;
          "updated_at"?: string;
          "user_id": string;
        };
        Update: {
          "backup_codes"?: (string)[] | null;
          "created_at"?: string;
          "id"?: string;
          "last_password_change"?: string | null;
          "login_notifications"?: boolean;
          "two_factor_enabled"?: boolean;
          "updated_at"?: string;
          "user_id"?: string;
        };
        Relationships: [];
      };
      "user_settings": {
        Row: {
          "created_at": string;
          "email_notifications": boolean;
          "id": string;
          "language": string;
          "notifications": boolean;
          "notifications_enabled": boolean;
          "push_notifications": boolean;
          "theme": string;
          "timezone": string;
          "updated_at": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "email_notifications"?: boolean;
          "id"?: string;
          "language"?: string;
          "notifications": boolean;
          "notifications_enabled"?: boolean;
          "push_notifications"?: boolean;
          "theme"?: string;
          "timezone"?: string;
          "updated_at"?: string;
          "user_id": string;
        };
        Update: {
          "created_at"?: string;
          "email_notifications"?: boolean;
          "id"?: string;
          "language"?: string;
          "notifications"?: boolean;
          "notifications_enabled"?: boolean;
          "push_notifications"?: boolean;
          "theme"?: string;
          "timezone"?: string;
          "updated_at"?: string;
          "user_id"?: string;
        };
        Relationships: [];
      };
      "users_teams": {
        Row: {
          "created_at": string;
          "id": string;
          "is_default": boolean;
          "team_id": string;
          "updated_at": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "id"?: string;
          "is_default"?: boolean;
          "team_id": string;
          "updated_at"?: string;
          "user_id": string;
        };
        Update: {
          "created_at"?: string;
          "id"?: string;
          "is_default"?: boolean;
          "team_id"?: string;
          "updated_at"?: string;
          "user_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "users_teams_team_id_fkey";
            columns: ["team_id"];
            isOneToOne: false;
            referencedRelation: "teams";
            referencedColumns: ["id"];
          },
        ];
      };
      "waitlist": {
        Row: {
          "created_at": string;
          "email": string;
          "id": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "email": string;
          "id"?: string;
        };
        Update: {
          "created_at"?: string;
          "email"?: string;
          "id"?: string;
        };
        Relationships: [];
      };
      "webhook_events": {
        Row: {
          "attempts": number;
          "error": string | null;
          "event_created_at": string | null;
          "event_id": string;
          "id": number;
          "outcome": string;
          "payload": Json | null;
          "processed_at": string | null;
          "provider": string;
          "received_at": string;
          "result": Json | null;
          "type": string;
        };
        ComputedFields: never;
        Insert: {
          "attempts"?: number;
          "error"?: string | null;
          "event_created_at"?: string | null;
          "event_id": string;
          "id"?: never;
          "outcome": string;
          "payload"?: Json | null;
          "processed_at"?: string | null;
          "provider": string;
          "received_at"?: string;
          "result"?: Json | null;
          "type": string;
        };
        Update: {
          "attempts"?: number;
          "error"?: string | null;
          "event_created_at"?: string | null;
          "event_id"?: string;
          "id"?: never;
          "outcome"?: string;
          "payload"?: Json | null;
          "processed_at"?: string | null;
          "provider"?: string;
          "received_at"?: string;
          "result"?: Json | null;
          "type"?: string;
        };
        Relationships: [];
      };
      "webhook_refusals": {
        Row: {
          "day": string;
          "deliveries": number;
          "provider": string;
          "reason": string;
        };
        ComputedFields: never;
        Insert: {
          "day"?: string;
          "deliveries"?: number;
          "provider": string;
          "reason": string;
        };
        Update: {
          "day"?: string;
          "deliveries"?: number;
          "provider"?: string;
          "reason"?: string;
        };
        Relationships: [];
      };
      "workflows": {
        Row: {
          "created_at": string;
          "description": string | null;
          "id": string;
          "is_active": boolean;
          "name": string;
          "schema": NonNullable<Json>;
          "team_id": string;
          "updated_at": string;
          "version": number;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "description"?: string | null;
          "id"?: string;
          "is_active"?: boolean;
          "name": string;
          "schema": NonNullable<Json>;
          "team_id": string;
          "updated_at"?: string;
          "version"?: number;
        };
        Update: {
          "created_at"?: string;
          "description"?: string | null;
          "id"?: string;
          "is_active"?: boolean;
          "name"?: string;
          "schema"?: NonNullable<Json>;
          "team_id"?: string;
          "updated_at"?: string;
          "version"?: number;
        };
        Relationships: [
          {
            foreignKeyName: "workflows_team_id_fkey";
            columns: ["team_id"];
            isOneToOne: false;
            referencedRelation: "teams";
            referencedColumns: ["id"];
          },
        ];
      };
      "workspace_files": {
        Row: {
          "content": string;
          "created_at": string | null;
          "id": string;
          "is_directory": boolean | null;
          "metadata": Json | null;
          "mime_type": string | null;
          "name": string;
          "parent_path": string | null;
          "path": string;
          "project_id": string | null;
          "size_bytes": number | null;
          "updated_at": string | null;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "content"?: string;
          "created_at"?: string | null;
          "id"?: string;
          "is_directory"?: boolean | null;
          "metadata"?: Json | null;
          "mime_type"?: string | null;
          "name": string;
          "parent_path"?: string | null;
          "path": string;
          "project_id"?: string | null;
          "size_bytes"?: number | null;
          "updated_at"?: string | null;
          "user_id": string;
        };
        Update: {
          "content"?: string;
          "created_at"?: string | null;
          "id"?: string;
          "is_directory"?: boolean | null;
          "metadata"?: Json | null;
          "mime_type"?: string | null;
          "name"?: string;
          "parent_path"?: string | null;
          "path"?: string;
          "project_id"?: string | null;
          "size_bytes"?: number | null;
          "updated_at"?: string | null;
          "user_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "workspace_files_project_id_fkey";
            columns: ["project_id"];
            isOneToOne: false;
            referencedRelation: "project_stats";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "workspace_files_project_id_fkey";
            columns: ["project_id"];
            isOneToOne: false;
            referencedRelation: "projects";
            referencedColumns: ["id"];
          },
        ];
      };
    };
    Views: {
      "chat_sessions_with_counts": {
        Row: {
          "created_at": string;
          "id": string;
          "last_activity": string;
          "last_message_at": string | null;
          "message_count": number | null;
          "metadata": NonNullable<Json>;
          "model": string | null;
          "scenario_id": string | null;
          "score": number | null;
          "session_id": string;
          "status": string;
          "team_id": string | null;
          "template": string | null;
          "title": string | null;
          "updated_at": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string | null;
          "id"?: string | null;
          "last_activity"?: string | null;
          "last_message_at"?: never;
          "message_count"?: never;
          "metadata"?: Json | null;
          "model"?: string | null;
          "scenario_id"?: string | null;
          "score"?: number | null;
          "session_id"?: string | null;
          "status"?: string | null;
          "team_id"?: string | null;
          "template"?: string | null;
          "title"?: string | null;
          "updated_at"?: string | null;
          "user_id"?: string | null;
        };
        Update: {
          "created_at"?: string | null;
          "id"?: string | null;
          "last_activity"?: string | null;
          "last_message_at"?: never;
          "message_count"?: never;
          "metadata"?: Json | null;
          "model"?: string | null;
          "scenario_id"?: string | null;
          "score"?: number | null;
          "session_id"?: string | null;
          "status"?: string | null;
          "team_id"?: string | null;
          "template"?: string | null;
          "title"?: string | null;
          "updated_at"?: string | null;
          "user_id"?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "chat_sessions_team_id_fkey";
            columns: ["team_id"];
            isOneToOne: false;
            referencedRelation: "teams";
            referencedColumns: ["id"];
          },
        ];
      };
      "credit_balances": {
        Row: {
          "account_id": string;
          "available": number | null;
          "balance": number | null;
          "held": number | null;
          "overdraft_limit": number;
          "scoped": number | null;
          "team_id": string | null;
          "unit": string;
          "updated_at": string;
          "user_id": string | null;
        };
        ComputedFields: never;
        Relationships: [
          {
            foreignKeyName: "credit_accounts_team_id_fkey";
            columns: ["team_id"];
            isOneToOne: false;
            referencedRelation: "teams";
            referencedColumns: ["id"];
          },
        ];
      };
      "credit_grants": {
        Row: {
          "account_id": string;
          "amount": number;
          "category": string;
          "cost_basis": number | null;
          "created_at": string;
          "currency": string | null;
          "description": string | null;
          "effective_at": string;
          "expires_at": string | null;
          "external_reference": string | null;
          "held": number | null;
          "id": string;
          "priority": number;
          "remaining": number | null;
          "skus": (string)[] | null;
          "source": string;
          "spendable": boolean | null;
          "status": string;
          "unit": string | null;
          "void_reason": string | null;
          "voided_at": string | null;
          "voided_by": string | null;
        };
        ComputedFields: never;
        Insert: {
          "account_id"?: string | null;
          "amount"?: number | null;
          "category"?: string | null;
          "cost_basis"?: number | null;
          "created_at"?: string | null;
          "currency"?: string | null;
          "description"?: string | null;
          "effective_at"?: string | null;
          "expires_at"?: string | null;
          "external_reference"?: string | null;
          "held"?: number | null;
          "id"?: string | null;
          "priority"?: number | null;
          "remaining"?: number | null;
          "skus"?: (string)[] | null;
          "source"?: string | null;
          "spendable"?: boolean | null;
          "status"?: string | null;
          "unit"?: string | null;
          "void_reason"?: string | null;
          "voided_at"?: string | null;
          "voided_by"?: string | null;
        };
        Update: {
          "account_id"?: string | null;
          "amount"?: number | null;
          "category"?: string | null;
          "cost_basis"?: number | null;
          "created_at"?: string | null;
          "currency"?: string | null;
          "description"?: string | null;
          "effective_at"?: string | null;
          "expires_at"?: string | null;
          "external_reference"?: string | null;
          "held"?: number | null;
          "id"?: string | null;
          "priority"?: number | null;
          "remaining"?: number | null;
          "skus"?: (string)[] | null;
          "source"?: string | null;
          "spendable"?: boolean | null;
          "status"?: string | null;
          "unit"?: string | null;
          "void_reason"?: string | null;
          "voided_at"?: string | null;
          "voided_by"?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "credit_grants_account_id_fkey";
            columns: ["account_id"];
            isOneToOne: false;
            referencedRelation: "credit_accounts";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "credit_grants_account_id_fkey";
            columns: ["account_id"];
            isOneToOne: false;
            referencedRelation: "credit_balances";
            referencedColumns: ["account_id"];
          },
          {
            foreignKeyName: "credit_grants_account_id_fkey";
            columns: ["account_id"];
            isOneToOne: false;
            referencedRelation: "credit_ledger_heads";
            referencedColumns: ["account_id"];
          },
          {
            foreignKeyName: "credit_grants_account_id_fkey";
            columns: ["account_id"];
            isOneToOne: false;
            referencedRelation: "team_credits";
            referencedColumns: ["account_id"];
          },
          {
            foreignKeyName: "credit_grants_account_id_fkey";
            columns: ["account_id"];
            isOneToOne: false;
            referencedRelation: "user_credits";
            referencedColumns: ["account_id"];
          },
        ];
      };
      "credit_holds": {
        Row: {
          "account_id": string | null;
          "actor_id": string | null;
          "allocations": Json | null;
          "amount": number | null;
          "captured": number | null;
          "created_at": string | null;
          "description": string | null;
          "entry_no": number | null;
          "expires_at": string | null;
          "id": string | null;
          "items": Json | null;
          "resolved_at": string | null;
          "status": string | null;
          "unit": string | null;
        };
        ComputedFields: never;
        Insert: {
          "account_id"?: string | null;
          "actor_id"?: string | null;
          "allocations"?: Json | null;
          "amount"?: number | null;
          "captured"?: number | null;
          "created_at"?: string | null;
          "description"?: string | null;
          "entry_no"?: number | null;
          "expires_at"?: string | null;
          "id"?: string | null;
          "items"?: Json | null;
          "resolved_at"?: string | null;
          "status"?: string | null;
          "unit"?: string | null;
        };
        Update: {
          "account_id"?: string | null;
          "actor_id"?: string | null;
          "allocations"?: Json | null;
          "amount"?: number | null;
          "captured"?: number | null;
          "created_at"?: string | null;
          "description"?: string | null;
          "entry_no"?: number | null;
          "expires_at"?: string | null;
          "id"?: string | null;
          "items"?: Json | null;
          "resolved_at"?: string | null;
          "status"?: string | null;
          "unit"?: string | null;
        };
        Relationships: [];
      };
      "credit_ledger_heads": {
        Row: {
          "account_id": string;
          "entry_no": number;
          "seal": string | null;
          "sealed_at": string;
          "team_id": string | null;
          "unit": string;
          "user_id": string | null;
        };
        ComputedFields: never;
        Relationships: [
          {
            foreignKeyName: "credit_accounts_team_id_fkey";
            columns: ["team_id"];
            isOneToOne: false;
            referencedRelation: "teams";
            referencedColumns: ["id"];
          },
        ];
      };
      "credit_transactions": {
        Row: {
          "account_id": string;
          "actor": string;
          "actor_id": string | null;
          "allocations": Json | null;
          "amount": number;
          "balance_after": number;
          "counterpart": Json | null;
          "created_at": string;
          "description": string | null;
          "entry_no": number;
          "id": string;
          "items": Json | null;
          "kind": string;
          "quantity": number | null;
          "refund_of": number | null;
          "requested_amount": number | null;
          "sku": string | null;
          "unit": string | null;
          "unit_price": number | null;
          "user_id": string | null;
        };
        ComputedFields: never;
        Insert: {
          "account_id"?: string | null;
          "actor"?: string | null;
          "actor_id"?: string | null;
          "allocations"?: Json | null;
          "amount"?: number | null;
          "balance_after"?: number | null;
          "counterpart"?: Json | null;
          "created_at"?: string | null;
          "description"?: string | null;
          "entry_no"?: number | null;
          "id"?: string | null;
          "items"?: Json | null;
          "kind"?: string | null;
          "quantity"?: number | null;
          "refund_of"?: number | null;
          "requested_amount"?: number | null;
          "sku"?: string | null;
          "unit"?: string | null;
          "unit_price"?: number | null;
          "user_id"?: string | null;
        };
        Update: {
          "account_id"?: string | null;
          "actor"?: string | null;
          "actor_id"?: string | null;
          "allocations"?: Json | null;
          "amount"?: number | null;
          "balance_after"?: number | null;
          "counterpart"?: Json | null;
          "created_at"?: string | null;
          "description"?: string | null;
          "entry_no"?: number | null;
          "id"?: string | null;
          "items"?: Json | null;
          "kind"?: string | null;
          "quantity"?: number | null;
          "refund_of"?: number | null;
          "requested_amount"?: number | null;
          "sku"?: string | null;
          "unit"?: string | null;
          "unit_price"?: number | null;
          "user_id"?: string | null;
        };
        Relationships: [];
      };
      "project_stats": {
        Row: {
          "chat_count": number | null;
          "created_at": string;
          "file_count": number | null;
          "id": string;
          "is_archived": boolean;
          "name": string;
          "total_file_size": number | null;
          "updated_at": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "chat_count"?: never;
          "created_at"?: string | null;
          "file_count"?: never;
          "id"?: string | null;
          "is_archived"?: boolean | null;
          "name"?: string | null;
          "total_file_size"?: never;
          "updated_at"?: string | null;
          "user_id"?: string | null;
        };
        Update: {
          "chat_count"?: never;
          "created_at"?: string | null;
          "file_count"?: never;
          "id"?: string | null;
          "is_archived"?: boolean | null;
          "name"?: string | null;
          "total_file_size"?: never;
          "updated_at"?: string | null;
          "user_id"?: string | null;
        };
        Relationships: [];
      };
      "team_credits": {
        Row: {
          "account_id": string;
          "available": number | null;
          "balance": number | null;
          "held": number | null;
          "overdraft_limit": number;
          "scoped": number | null;
          "team_id": string | null;
          "updated_at": string;
        };
        ComputedFields: never;
        Relationships: [
          {
            foreignKeyName: "credit_accounts_team_id_fkey";
            columns: ["team_id"];
            isOneToOne: false;
            referencedRelation: "teams";
            referencedColumns: ["id"];
          },
        ];
      };
      "team_member_balances": {
        Row: {
          "available": number | null;
          "credit_limit": number | null;
          "period": string | null;
          "spent": number | null;
          "team_id": string | null;
          "unit": string | null;
          "user_id": string | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "team_member_credits": {
        Row: {
          "available": number | null;
          "credit_limit": number | null;
          "period": string | null;
          "spent": number | null;
          "team_id": string | null;
          "user_id": string | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "user_credits": {
        Row: {
          "account_id": string;
          "available": number | null;
          "balance": number | null;
          "held": number | null;
          "overdraft_limit": number;
          "scoped": number | null;
          "updated_at": string;
          "user_id": string | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "user_statistics": {
        Row: {
          "active_goals": number | null;
          "completed_goals": number | null;
          "journal_entries_count": number | null;
          "last_chat_session": string | null;
          "total_chat_sessions": number | null;
          "total_messages": number | null;
          "user_id": string;
        };
        ComputedFields: never;
        Relationships: [];
      };
    };
    Functions: {
      "accept_team_invitation": {
        Args: { "invitation_id": string; "user_id": string };
        Returns: Database["public"]["CompositeTypes"]["team_invitation"];
        SetofOptions: {
          from: "*";
          to: "team_invitation";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "account_export_parts": {
        Args: { "after"?: number; "page_size"?: number; "user_id": string };
        Returns: {
          "bucket": string;
          "bytes": number;
          "kind": string;
          "name": string;
          "number": number;
          "path": string;
          "rows": number;
          "sha256": string;
        }[];
      };
      "append_answer_parts": {
        Args: { "parts": Json };
        Returns: Database["public"]["CompositeTypes"]["answer_progress"][];
        SetofOptions: {
          from: "*";
          to: "answer_progress";
          isOneToOne: false;
          isSetofReturn: true;
        };
      };
      "append_chat_segment": {
        Args: {
          "chat_id": string;
          "encrypted_data": string;
          "expected_version": number;
          "head"?: string;
          "history"?: Json;
          "idempotency_key"?: string;
          "number": number;
          "user_id": string;
        };
        Returns: Database["public"]["CompositeTypes"]["saved_chat"];
        SetofOptions: {
          from: "*";
          to: "saved_chat";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "begin_answer": {
        Args: {
          "conversation_id"?: string;
          "extra_tokens"?: number;
          "idempotency_key"?: string;
          "max_output_tokens"?: number;
          "message"?: Json;
          "model"?: string;
          "needs"?: (string)[];
          "parameters"?: Json;
          "project_id"?: string;
          "regenerate"?: boolean;
          "server_tools"?: boolean;
          "start"?: boolean;
          "user_id": string;
        };
        Returns: Database["public"]["CompositeTypes"]["begun_answer"];
        SetofOptions: {
          from: "*";
          to: "begun_answer";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "begin_chat_approval": {
        Args: { "approval_id": string; "share": string; "user_id": string };
        Returns: Database["public"]["CompositeTypes"]["chat_approval"];
        SetofOptions: {
          from: "*";
          to: "chat_approval";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "begin_ephemeral_answer": {
        Args: {
          "input_tokens": number;
          "max_output_tokens"?: number;
          "model"?: string;
          "needs"?: (string)[];
          "user_id": string;
        };
        Returns: Database["public"]["CompositeTypes"]["begun_answer"];
        SetofOptions: {
          from: "*";
          to: "begun_answer";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "cancel_account_deletion": {
        Args: { "user_id": string };
        Returns: Database["public"]["CompositeTypes"]["account_deletion"];
        SetofOptions: {
          from: "*";
          to: "account_deletion";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "capture_credit_hold": {
        Args: {
          "allow_overage"?: boolean;
          "amount"?: number;
          "description"?: string;
          "hold_id": string;
          "idempotency_key"?: string;
          "items"?: Json;
          "message_id"?: string;
        };
        Returns: Database["public"]["CompositeTypes"]["credit_entry"];
        SetofOptions: {
          from: "*";
          to: "credit_entry";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "change_chat_approval": {
        Args: {
          "answer"?: string;
          "approval_id": string;
          "closed"?: string;
          "hello"?: string;
          "reply"?: string;
          "user_id": string;
        };
        Returns: Database["public"]["CompositeTypes"]["chat_approval"];
        SetofOptions: {
          from: "*";
          to: "chat_approval";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "cleanup_expired_sessions": { Args: Record<PropertyKey, never>; Returns: undefined };
      "cleanup_health": {
        Args: Record<PropertyKey, never>;
        Returns: {
          "enabled": boolean;
          "job": string;
          "last_error": string;
          "last_outcome": string;
          "last_report": Json;
          "last_success_at": string;
          "next_run_at": string;
          "overdue": boolean;
          "running": boolean;
          "schedule": string;
        }[];
      };
      "cleanup_old_multipart_uploads": { Args: Record<PropertyKey, never>; Returns: undefined };
      "cleanup_runs": {
        Args: { "before"?: number; "job"?: string; "page_size"?: number };
        Returns: {
          "batches": number;
          "bytes": number;
          "ended_at": string;
          "error": string;
          "id": number;
          "job_name": string;
          "outcome": string;
          "report": Json;
          "rows": number;
          "started_at": string;
        }[];
      };
      "clone_project": {
        Args: {
          "actor"?: string;
          "idempotency_key"?: string;
          "project_id": string;
          "title"?: string;
          "user_id": string;
          "with_files"?: boolean;
          "with_messages"?: boolean;
        };
        Returns: Database["public"]["CompositeTypes"]["project_clone"];
        SetofOptions: {
          from: "*";
          to: "project_clone";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "complete_upload": {
        Args: { "upload_id": string; "user_id": string; "version"?: string };
        Returns: Database["public"]["CompositeTypes"]["upload_reservation"];
        SetofOptions: {
          from: "*";
          to: "upload_reservation";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "count_webhook_refusal": {
        Args: { "provider": string; "reason": string };
        Returns: undefined;
      };
      "create_api_key": {
        Args: {
          "expires_at"?: string;
          "key_hash": string;
          "key_prefix": string;
          "name": string;
          "permissions": Json;
          "user_id": string;
        };
        Returns: Json;
      };
      "create_team": {
        Args: {
          "actor"?: string;
          "email"?: string;
          "idempotency_key"?: string;
          "name": string;
          "user_id": string;
        };
        Returns: Database["public"]["CompositeTypes"]["team_change"];
        SetofOptions: {
          from: "*";
          to: "team_change";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "credit_balance_at": { Args: { "account_id": string; "at": string }; Returns: number };
      "credit_reconciliation": {
        Args: { "only_account_id"?: string };
        Returns: {
          "account_id": string;
          "actual": number;
          "expected": number;
          "problem": string;
          "subject": string;
        }[];
      };
      "credit_statement": {
        Args: {
          "actor"?: string;
          "after"?: number;
          "month": string;
          "page_size"?: number;
          "team_id"?: string;
          "unit"?: string;
          "user_id"?: string;
        };
        Returns: Database["public"]["CompositeTypes"]["credit_statement"];
        SetofOptions: {
          from: "*";
          to: "credit_statement";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "credits": {
        Args: { "": Database["public"]["Tables"]["profiles"]["Row"] };
        Returns:
          & { error: true }
          & "the function public.credits with parameter or with a single unnamed json/jsonb parameter, but no matches were found in the schema cache";
      };
      "decline_team_invitation": {
        Args: { "invitation_id": string; "user_id": string };
        Returns: Database["public"]["CompositeTypes"]["team_invitation"];
        SetofOptions: {
          from: "*";
          to: "team_invitation";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "deduct_credits": {
        Args: {
          "actor"?: string;
          "amount"?: number;
          "description"?: string;
          "idempotency_key"?: string;
          "items"?: Json;
          "quantity"?: number;
          "sku"?: string;
          "team_id"?: string;
          "unit"?: string;
          "user_id"?: string;
        };
        Returns: Database["public"]["CompositeTypes"]["credit_entry"];
        SetofOptions: {
          from: "*";
          to: "credit_entry";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "delete_chat": {
        Args: {
          "chat_id": string;
          "expected_version"?: number;
          "history"?: Json;
          "user_id": string;
        };
        Returns: Database["public"]["CompositeTypes"]["saved_chat"];
        SetofOptions: {
          from: "*";
          to: "saved_chat";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "delete_files": {
        Args: { "bucket": string; "paths": (string)[]; "user_id": string };
        Returns: {
          "path": string;
          "stored": boolean;
        }[];
      };
      "delete_project": {
        Args: {
          "actor"?: string;
          "idempotency_key"?: string;
          "permanent"?: boolean;
          "project_id": string;
          "user_id": string;
        };
        Returns: Database["public"]["CompositeTypes"]["project_change"];
        SetofOptions: {
          from: "*";
          to: "project_change";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "delete_team": {
        Args: {
          "actor"?: string;
          "delete_projects"?: boolean;
          "idempotency_key"?: string;
          "team_id": string;
          "user_id": string;
        };
        Returns: Database["public"]["CompositeTypes"]["team_change"];
        SetofOptions: {
          from: "*";
          to: "team_change";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "due_cleanup_jobs": {
        Args: { "jobs"?: (string)[] };
        Returns: {
          "job": string;
          "schedule": string;
        }[];
      };
      "end_cleanup_run": {
        Args: {
          "bytes"?: number;
          "error"?: string;
          "job": string;
          "lease": string;
          "rows"?: number;
        };
        Returns: boolean;
      };
      "fail_export_portion": {
        Args: { "error": string; "export_id": string; "token": string };
        Returns: undefined;
      };
      "finish_answer": {
        Args: {
          "answer_id": string;
          "attempts"?: number;
          "error"?: string;
          "finish_reason"?: string;
          "number"?: number;
          "pieces"?: Json;
          "state": string;
          "usage": Json;
        };
        Returns: Database["public"]["CompositeTypes"]["ended_answer"];
        SetofOptions: {
          from: "*";
          to: "ended_answer";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "finish_draft": {
        Args: {
          "actor"?: string;
          "content"?: Json;
          "conversation_id"?: string;
          "message_id": string;
          "object_data"?: Json;
          "project_id"?: string;
          "result_data"?: Json;
          "settle"?: Json;
          "status"?: string;
          "user_id": string;
        };
        Returns: Database["public"]["CompositeTypes"]["saved_messages"];
        SetofOptions: {
          from: "*";
          to: "saved_messages";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_account_deletion": {
        Args: { "user_id": string };
        Returns: Database["public"]["CompositeTypes"]["account_deletion"];
        SetofOptions: {
          from: "*";
          to: "account_deletion";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_account_export": {
        Args: { "user_id": string };
        Returns: Database["public"]["CompositeTypes"]["account_export"];
        SetofOptions: {
          from: "*";
          to: "account_export";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_bucket_size": { Args: { "bucket_name": string }; Returns: number };
      "get_bucket_terms": {
        Args: { "bucket": string };
        Returns: Database["public"]["CompositeTypes"]["bucket_terms"];
        SetofOptions: {
          from: "*";
          to: "bucket_terms";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_chat": {
        Args: { "chat_id": string; "from_segment"?: number; "known_data_version"?: number };
        Returns: Database["public"]["CompositeTypes"]["chat_page"];
        SetofOptions: {
          from: "*";
          to: "chat_page";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_chat_keys": {
        Args: Record<PropertyKey, never>;
        Returns: Database["public"]["CompositeTypes"]["chat_keyring"];
        SetofOptions: {
          from: "*";
          to: "chat_keyring";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_file_names": {
        Args: { "bucket": string; "paths": (string)[] };
        Returns: {
          "name": string;
          "path": string;
        }[];
      };
      "get_level": { Args: { "file_path": string }; Returns: number };
      "get_project_clone": {
        Args: { "clone_id": string; "user_id": string };
        Returns: Database["public"]["CompositeTypes"]["project_clone"];
        SetofOptions: {
          from: "*";
          to: "project_clone";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_replaced_chat_keys": {
        Args: Record<PropertyKey, never>;
        Returns: Database["public"]["CompositeTypes"]["replaced_chat_key"][];
        SetofOptions: {
          from: "*";
          to: "replaced_chat_key";
          isOneToOne: false;
          isSetofReturn: true;
        };
      };
      "get_storage_usage": {
        Args: { "user_id": string };
        Returns: Database["public"]["CompositeTypes"]["storage_usage"][];
        SetofOptions: {
          from: "*";
          to: "storage_usage";
          isOneToOne: false;
          isSetofReturn: true;
        };
      };
      "get_upload": {
        Args: { "upload_id": string; "user_id": string };
        Returns: Database["public"]["CompositeTypes"]["upload_reservation"];
        SetofOptions: {
          from: "*";
          to: "upload_reservation";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_user_full_profile": { Args: { "user_uuid": string }; Returns: Json };
      "grant_credits": {
        Args: {
          "amount"?: number;
          "category"?: string;
          "cost_basis"?: number;
          "currency"?: string;
          "description"?: string;
          "effective_at"?: string;
          "expires_at"?: string;
          "external_reference"?: string;
          "idempotency_key"?: string;
          "priority"?: number;
          "skus"?: (string)[];
          "source"?: string;
          "team_id"?: string;
          "unit"?: string;
          "user_id"?: string;
        };
        Returns: Database["public"]["CompositeTypes"]["credit_grant"];
        SetofOptions: {
          from: "*";
          to: "credit_grant";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "hold_credits": {
        Args: {
          "amount"?: number;
          "description"?: string;
          "expires_in"?: number;
          "idempotency_key"?: string;
          "items"?: Json;
          "team_id"?: string;
          "unit"?: string;
          "user_id"?: string;
        };
        Returns: Database["public"]["CompositeTypes"]["credit_hold"];
        SetofOptions: {
          from: "*";
          to: "credit_hold";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "invite_to_team": {
        Args: {
          "actor"?: string;
          "email"?: string;
          "idempotency_key"?: string;
          "invitee_id"?: string;
          "role": string;
          "team_id": string;
          "user_id": string;
        };
        Returns: Database["public"]["CompositeTypes"]["team_invitation"];
        SetofOptions: {
          from: "*";
          to: "team_invitation";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "leave_team": {
        Args: { "team_id": string; "user_id": string };
        Returns: {
          "created_at": string;
          "id": string;
          "role": string;
          "team_id": string;
          "updated_at": string;
          "user_id": string;
        };
        SetofOptions: {
          from: "*";
          to: "team_members";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "list_chat_approvals": {
        Args: Record<PropertyKey, never>;
        Returns: {
          "answer": string | null;
          "closed": string | null;
          "created_at": string;
          "expires_at": string;
          "hello": string | null;
          "id": string;
          "reply": string | null;
          "share": string;
          "user_id": string;
        }[];
        SetofOptions: {
          from: "*";
          to: "chat_approvals";
          isOneToOne: false;
          isSetofReturn: true;
        };
      };
      "name": {
        Args: { "": Database["public"]["Tables"]["projects"]["Row"] };
        Returns:
          & { error: true }
          & "the function public.name with parameter or with a single unnamed json/jsonb parameter, but no matches were found in the schema cache";
      };
      "next_export_portion": {
        Args: { "batch": number };
        Returns: Database["public"]["CompositeTypes"]["export_portion"];
        SetofOptions: {
          from: "*";
          to: "export_portion";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "next_storage_removals": {
        Args: { "batch"?: number };
        Returns: {
          "bucket_id": string;
          "name": string;
        }[];
      };
      "preview_cleanup": {
        Args: { "job": string };
        Returns: Database["public"]["CompositeTypes"]["cleanup_batch"];
        SetofOptions: {
          from: "*";
          to: "cleanup_batch";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "quote_credits": {
        Args: { "items": Json; "team_id"?: string; "user_id"?: string };
        Returns: Database["public"]["CompositeTypes"]["credit_quote"];
        SetofOptions: {
          from: "*";
          to: "credit_quote";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "read_answer": {
        Args: { "after"?: number; "id": string; "user_id": string };
        Returns: Database["public"]["CompositeTypes"]["answer_reading"];
        SetofOptions: {
          from: "*";
          to: "answer_reading";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "read_replaced_chat_key": {
        Args: { "id": string; "session_id": string; "user_id": string };
        Returns: Database["public"]["CompositeTypes"]["replaced_chat_key_wrap"];
        SetofOptions: {
          from: "*";
          to: "replaced_chat_key_wrap";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "receive_database_webhook": {
        Args: { "payload": Json };
        Returns: Database["public"]["CompositeTypes"]["webhook_receipt"];
        SetofOptions: {
          from: "*";
          to: "webhook_receipt";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "receive_webhook_event": {
        Args: {
          "event_created"?: string;
          "event_id": string;
          "payload": Json;
          "provider": string;
          "type": string;
        };
        Returns: Database["public"]["CompositeTypes"]["webhook_receipt"];
        SetofOptions: {
          from: "*";
          to: "webhook_receipt";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "recount_storage": {
        Args: { "user_id": string };
        Returns: {
          "actual": number;
          "bucket": string;
          "expected": number;
          "problem": string;
        }[];
      };
      "refund_credits": {
        Args: {
          "account_id": string;
          "amount"?: number;
          "description"?: string;
          "entry_no": number;
          "idempotency_key"?: string;
        };
        Returns: Database["public"]["CompositeTypes"]["credit_entry"];
        SetofOptions: {
          from: "*";
          to: "credit_entry";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "refuse_upload": {
        Args: { "refusal": Json; "upload_id": string; "user_id": string };
        Returns: Database["public"]["CompositeTypes"]["upload_reservation"];
        SetofOptions: {
          from: "*";
          to: "upload_reservation";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "release_credit_hold": {
        Args: { "hold_id": string; "idempotency_key"?: string };
        Returns: Database["public"]["CompositeTypes"]["credit_hold"];
        SetofOptions: {
          from: "*";
          to: "credit_hold";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "release_upload": { Args: { "upload_id": string; "user_id": string }; Returns: boolean };
      "remove_account_export": {
        Args: { "user_id": string };
        Returns: Database["public"]["CompositeTypes"]["account_export"];
        SetofOptions: {
          from: "*";
          to: "account_export";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "replace_message": {
        Args: {
          "actor"?: string;
          "conversation_id"?: string;
          "if_match"?: string;
          "message": Json;
          "message_id": string;
          "project_id"?: string;
          "user_id": string;
        };
        Returns: {
          "author_id": string | null;
          "client_id": string | null;
          "content": NonNullable<Json>;
          "conversation_id": string | null;
          "created_at": string;
          "hold_id": string | null;
          "id": string;
          "metadata": NonNullable<Json>;
          "object_data": Json | null;
          "project_id": string | null;
          "result_data": Json | null;
          "role": Database["public"]["Enums"]["message_role_enum"];
          "sequence_number": number | null;
          "status": string;
          "updated_at": string;
          "user_id": string | null;
        };
        SetofOptions: {
          from: "*";
          to: "messages";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "replay_webhook_events": {
        Args: {
          "after"?: number;
          "batch"?: number;
          "event_id"?: string;
          "provider"?: string;
          "received_before"?: string;
          "received_from"?: string;
          "type"?: string;
        };
        Returns: Database["public"]["CompositeTypes"]["webhook_replay"];
        SetofOptions: {
          from: "*";
          to: "webhook_replay";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "request_account_deletion": {
        Args: { "session_id": string; "user_id": string };
        Returns: Database["public"]["CompositeTypes"]["account_deletion"];
        SetofOptions: {
          from: "*";
          to: "account_deletion";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "reserve_upload": {
        Args: {
          "actor"?: string;
          "bucket": string;
          "chat_id"?: string;
          "content_type": string;
          "idempotency_key"?: string;
          "name": string;
          "project_id"?: string;
          "size": number;
          "user_id": string;
        };
        Returns: Database["public"]["CompositeTypes"]["upload_reservation"];
        SetofOptions: {
          from: "*";
          to: "upload_reservation";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "restore_project": {
        Args: { "project_id": string; "user_id": string };
        Returns: Database["public"]["CompositeTypes"]["project_change"];
        SetofOptions: {
          from: "*";
          to: "project_change";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "revoke_chat_device": {
        Args: { "device_id": string; "user_id": string };
        Returns: Database["public"]["CompositeTypes"]["chat_key_change"];
        SetofOptions: {
          from: "*";
          to: "chat_key_change";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "revoke_team_invitation": {
        Args: { "invitation_id": string; "user_id": string };
        Returns: Database["public"]["CompositeTypes"]["team_invitation"];
        SetofOptions: {
          from: "*";
          to: "team_invitation";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "revoke_user_sessions": { Args: { "user_uuid": string }; Returns: undefined };
      "rotate_chat_keys": {
        Args: {
          "expected_version": number;
          "idempotency_key"?: string;
          "key_id": string;
          "next_proof_hash"?: string;
          "proof"?: string;
          "user_id": string;
          "wraps": Json;
        };
        Returns: Database["public"]["CompositeTypes"]["chat_key_change"];
        SetofOptions: {
          from: "*";
          to: "chat_key_change";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "run_cleanup_batch": {
        Args: {
          "bytes"?: number;
          "job": string;
          "lease": string;
          "next_run_at"?: string;
          "rows"?: number;
        };
        Returns: Database["public"]["CompositeTypes"]["cleanup_batch"];
        SetofOptions: {
          from: "*";
          to: "cleanup_batch";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "save_chat": {
        Args: {
          "chat_id": string;
          "encrypted_data"?: string;
          "encrypted_title"?: string;
          "expected_version": number;
          "head"?: string;
          "history"?: Json;
          "idempotency_key"?: string;
          "is_starred"?: boolean;
          "restore"?: boolean;
          "user_id": string;
        };
        Returns: Database["public"]["CompositeTypes"]["saved_chat"];
        SetofOptions: {
          from: "*";
          to: "saved_chat";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "save_export_portion": {
        Args: {
          "bytes"?: number;
          "export_id": string;
          "missing"?: (string)[];
          "sha256"?: string;
          "token": string;
        };
        Returns: boolean;
      };
      "save_message_and_update_project": {
        Args: {
          "content_param": Json;
          "object_data_param"?: Json;
          "project_id_param": string;
          "result_data_param"?: Json;
          "role_param": string;
          "sequence_number_param"?: number;
        };
        Returns: {
          "author_id": string | null;
          "client_id": string | null;
          "content": NonNullable<Json>;
          "conversation_id": string | null;
          "created_at": string;
          "hold_id": string | null;
          "id": string;
          "metadata": NonNullable<Json>;
          "object_data": Json | null;
          "project_id": string | null;
          "result_data": Json | null;
          "role": Database["public"]["Enums"]["message_role_enum"];
          "sequence_number": number | null;
          "status": string;
          "updated_at": string;
          "user_id": string | null;
        };
        SetofOptions: {
          from: "*";
          to: "messages";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "save_messages": {
        Args: {
          "actor"?: string;
          "conversation_id"?: string;
          "idempotency_key"?: string;
          "messages": Json;
          "project_id"?: string;
          "replace"?: boolean;
          "settle"?: Json;
          "user_id": string;
        };
        Returns: Database["public"]["CompositeTypes"]["saved_messages"];
        SetofOptions: {
          from: "*";
          to: "saved_messages";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "search_messages": {
        Args: { "before"?: string; "limit"?: number; "query": string };
        Returns: {
          "content": Json;
          "conversation_id": string;
          "created_at": string;
          "id": string;
          "project_id": string;
          "rank": number;
          "role": string;
          "sequence_number": number;
          "snippet": string;
        }[];
      };
      "set_chat_history": {
        Args: { "expected_sequence": number; "history": Json; "user_id": string };
        Returns: Database["public"]["CompositeTypes"]["chat_history_change"];
        SetofOptions: {
          from: "*";
          to: "chat_history_change";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "set_chat_keys": {
        Args: {
          "expected_version": number;
          "idempotency_key"?: string;
          "key_id": string;
          "next_proof_hash"?: string;
          "proof"?: string;
          "user_id": string;
          "wraps": Json;
        };
        Returns: Database["public"]["CompositeTypes"]["chat_key_change"];
        SetofOptions: {
          from: "*";
          to: "chat_key_change";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "set_credit_alert": {
        Args: {
          "actor"?: string;
          "idempotency_key"?: string;
          "team_id"?: string;
          "threshold": number;
          "unit"?: string;
          "user_id"?: string;
        };
        Returns: Database["public"]["CompositeTypes"]["credit_settings"];
        SetofOptions: {
          from: "*";
          to: "credit_settings";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "set_credit_overdraft": {
        Args: {
          "idempotency_key"?: string;
          "overdraft_limit": number;
          "team_id"?: string;
          "unit"?: string;
          "user_id"?: string;
        };
        Returns: Database["public"]["CompositeTypes"]["credit_settings"];
        SetofOptions: {
          from: "*";
          to: "credit_settings";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "set_storage_quota": {
        Args: { "bytes": number; "user_id": string };
        Returns: Database["public"]["CompositeTypes"]["storage_usage"][];
        SetofOptions: {
          from: "*";
          to: "storage_usage";
          isOneToOne: false;
          isSetofReturn: true;
        };
      };
      "start_account_export": {
        Args: { "user_id": string };
        Returns: Database["public"]["CompositeTypes"]["account_export"];
        SetofOptions: {
          from: "*";
          to: "account_export";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "start_conversation": {
        Args: {
          "actor"?: string;
          "conversation_id"?: string;
          "idempotency_key"?: string;
          "message": Json;
          "title"?: string;
          "user_id": string;
        };
        Returns: Database["public"]["CompositeTypes"]["started_conversation"];
        SetofOptions: {
          from: "*";
          to: "started_conversation";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "stop_answer": {
        Args: { "id": string; "user_id": string };
        Returns: Database["public"]["CompositeTypes"]["ended_answer"];
        SetofOptions: {
          from: "*";
          to: "ended_answer";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "storage_objects_removed": {
        Args: { "bucket_id": string; "names": (string)[] };
        Returns: number;
      };
      "storage_reconciliation": {
        Args: { "only_user_id"?: string };
        Returns: {
          "actual": number;
          "bucket": string;
          "expected": number;
          "problem": string;
          "user_id": string;
        }[];
      };
      "storage_removals_failed": {
        Args: { "bucket_id": string; "error": string; "names": (string)[] };
        Returns: number;
      };
      "sync_chats": {
        Args: {
          "cursor"?: string;
          "limit"?: number;
          "with_data"?: boolean;
          "with_titles"?: boolean;
        };
        Returns: Database["public"]["CompositeTypes"]["chat_changes"];
        SetofOptions: {
          from: "*";
          to: "chat_changes";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "transfer_credits": {
        Args: {
          "actor"?: string;
          "amount": number;
          "description"?: string;
          "from_team_id"?: string;
          "from_user_id"?: string;
          "idempotency_key"?: string;
          "to_team_id"?: string;
          "to_user_id"?: string;
          "unit"?: string;
          "user_id"?: string;
        };
        Returns: Database["public"]["CompositeTypes"]["credit_transfer"];
        SetofOptions: {
          from: "*";
          to: "credit_transfer";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "update_draft": {
        Args: {
          "actor"?: string;
          "content": Json;
          "conversation_id"?: string;
          "message_id": string;
          "project_id"?: string;
          "user_id": string;
        };
        Returns: {
          "author_id": string | null;
          "client_id": string | null;
          "content": NonNullable<Json>;
          "conversation_id": string | null;
          "created_at": string;
          "hold_id": string | null;
          "id": string;
          "metadata": NonNullable<Json>;
          "object_data": Json | null;
          "project_id": string | null;
          "result_data": Json | null;
          "role": Database["public"]["Enums"]["message_role_enum"];
          "sequence_number": number | null;
          "status": string;
          "updated_at": string;
          "user_id": string | null;
        };
        SetofOptions: {
          from: "*";
          to: "messages";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "use_api_key": {
        Args: { "key_hash": string; "permission": string };
        Returns: Database["public"]["CompositeTypes"]["api_key_use"];
        SetofOptions: {
          from: "*";
          to: "api_key_use";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "use_chat_passkey": {
        Args: { "device_id": string; "user_id": string };
        Returns: Database["public"]["CompositeTypes"]["chat_passkey_use"];
        SetofOptions: {
          from: "*";
          to: "chat_passkey_use";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "verify_credit_ledger": {
        Args: {
          "account_id": string;
          "after"?: number;
          "entry_no"?: number;
          "page_size"?: number;
          "seal"?: string;
        };
        Returns: Database["public"]["CompositeTypes"]["credit_ledger_check"];
        SetofOptions: {
          from: "*";
          to: "credit_ledger_check";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "verify_upload": {
        Args: { "upload_id": string; "user_id": string; "version"?: string };
        Returns: Database["public"]["CompositeTypes"]["upload_reservation"];
        SetofOptions: {
          from: "*";
          to: "upload_reservation";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "void_credit_grant": {
        Args: {
          "grant_id": string;
          "idempotency_key"?: string;
          "reason": string;
          "voided_by": string;
        };
        Returns: Database["public"]["CompositeTypes"]["credit_grant"];
        SetofOptions: {
          from: "*";
          to: "credit_grant";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "webhook_health": {
        Args: Record<PropertyKey, never>;
        Returns: {
          "code": string;
          "dead": number;
          "example_error": string;
          "example_event_id": string;
          "failed": number;
          "newest_received_at": string;
          "oldest_received_at": string;
          "provider": string;
          "type": string;
        }[];
      };
    };
    Enums: {
      "message_editing_enum": "author" | "members";
      "message_role_enum": "user" | "assistant" | "system";
      "project_status_enum": "active" | "archived" | "deleted" | "cloning";
      "subscription_status_enum": "active" | "canceled" | "past_due" | "unpaid" | "incomplete";
      "task_status_enum": "pending" | "processing" | "completed" | "error";
    };
    CompositeTypes: {
      "account_deletion": {
        "state": string | null;
        "requested_at": string | null;
        "removed_at": string | null;
      };
      "account_export": {
        "id": string | null;
        "state": string | null;
        "created_at": string | null;
        "ended_at": string | null;
        "expires_at": string | null;
        "tables": Json | null;
        "rows": number | null;
        "files": number | null;
        "files_missing": number | null;
        "bytes": number | null;
        "parts": number | null;
        "progress": number | null;
        "url_seconds": number | null;
      };
      "answer_progress": {
        "answer_id": string | null;
        "state": string | null;
        "stop_requested": boolean | null;
      };
      "answer_reading": {
        "answer": Json | null;
        "parts": Json | null;
        "message": Json | null;
      };
      "api_key_use": {
        "user_id": string | null;
        "refused": string | null;
      };
      "begun_answer": {
        "answer": Json | null;
        "message": Json | null;
        "history": Json | null;
        "system": string | null;
        "endpoints": Json | null;
        "limits": Json | null;
        "replayed": boolean | null;
      };
      "bucket_terms": {
        "bucket": string | null;
        "is_public": boolean | null;
        "max_file_size": number | null;
        "content_types": (string)[] | null;
        "is_opaque": boolean | null;
        "download_seconds": number | null;
      };
      "chat_approval": {
        "id": string | null;
        "share": string | null;
        "reply": string | null;
        "hello": string | null;
        "answer": string | null;
        "closed": string | null;
        "created_at": string | null;
        "expires_at": string | null;
        "replayed": boolean | null;
      };
      "chat_changes": {
        "changes": Json | null;
        "cursor": string | null;
        "has_more": boolean | null;
        "key_version": number | null;
        "history": Json | null;
      };
      "chat_history_change": {
        "counter": number | null;
        "replayed": boolean | null;
      };
      "chat_key_change": {
        "version": number | null;
        "key_id": string | null;
        "epoch": number | null;
        "replayed": boolean | null;
      };
      "chat_keyring": {
        "version": number | null;
        "key_id": string | null;
        "epoch": number | null;
        "keys": Json | null;
        "legacy_envelopes": number | null;
        "proof_number": number | null;
      };
      "chat_page": {
        "id": string | null;
        "version": number | null;
        "data_version": number | null;
        "next_segment": number | null;
        "is_starred": boolean | null;
        "title": string | null;
        "custom_name": string | null;
        "image_paths": (string)[] | null;
        "bytes": number | null;
        "created_at": string | null;
        "updated_at": string | null;
        "encrypted_title": string | null;
        "encrypted_data": string | null;
        "head": string | null;
        "segments": Json | null;
        "has_more": boolean | null;
      };
      "chat_passkey_use": {
        "device_id": string | null;
        "last_used_at": string | null;
        "replayed": boolean | null;
      };
      "cleanup_batch": {
        "job": string | null;
        "outcome": string | null;
        "rows": number | null;
        "bytes": number | null;
        "run_id": number | null;
        "report": Json | null;
        "batch_size": number | null;
      };
      "credit_entry": {
        "account_id": string | null;
        "entry_no": number | null;
        "kind": string | null;
        "amount": number | null;
        "balance_after": number | null;
        "sku": string | null;
        "quantity": number | null;
        "unit_price": number | null;
        "items": Json | null;
        "description": string | null;
        "actor_id": string | null;
        "refund_of": number | null;
        "created_at": string | null;
        "unit": string | null;
        "replayed": boolean | null;
      };
      "credit_grant": {
        "id": string | null;
        "account_id": string | null;
        "category": string | null;
        "amount": number | null;
        "remaining": number | null;
        "held": number | null;
        "priority": number | null;
        "status": string | null;
        "effective_at": string | null;
        "expires_at": string | null;
        "source": string | null;
        "external_reference": string | null;
        "cost_basis": number | null;
        "currency": string | null;
        "description": string | null;
        "voided_at": string | null;
        "voided_by": string | null;
        "void_reason": string | null;
        "created_at": string | null;
        "unit": string | null;
        "skus": (string)[] | null;
        "replayed": boolean | null;
      };
      "credit_hold": {
        "id": string | null;
        "account_id": string | null;
        "amount": number | null;
        "captured": number | null;
        "status": string | null;
        "items": Json | null;
        "description": string | null;
        "actor_id": string | null;
        "expires_at": string | null;
        "resolved_at": string | null;
        "entry_no": number | null;
        "created_at": string | null;
        "unit": string | null;
        "replayed": boolean | null;
      };
      "credit_ledger_check": {
        "account_id": string | null;
        "entry_no": number | null;
        "problem": string | null;
        "sealed_to": number | null;
        "seal": string | null;
        "next_after": number | null;
      };
      "credit_quote": {
        "items": Json | null;
        "total": number | null;
        "available": number | null;
        "member_available": number | null;
        "affordable": boolean | null;
        "unit": string | null;
      };
      "credit_settings": {
        "account_id": string | null;
        "overdraft_limit": number | null;
        "alert_threshold": number | null;
        "available": number | null;
        "unit": string | null;
        "replayed": boolean | null;
      };
      "credit_statement": {
        "account_id": string | null;
        "month": string | null;
        "opening_balance": number | null;
        "closing_balance": number | null;
        "granted": number | null;
        "charged": number | null;
        "refunded": number | null;
        "expired": number | null;
        "voided": number | null;
        "transferred": number | null;
        "entry_count": number | null;
        "entries": Json | null;
        "next_after": number | null;
        "unit": string | null;
      };
      "credit_transfer": {
        "from_account_id": string | null;
        "from_entry_no": number | null;
        "to_account_id": string | null;
        "to_entry_no": number | null;
        "amount": number | null;
        "balance_after": number | null;
        "description": string | null;
        "created_at": string | null;
        "unit": string | null;
        "replayed": boolean | null;
      };
      "ended_answer": {
        "answer": Json | null;
        "message": Json | null;
        "entry": Json | null;
      };
      "export_portion": {
        "export_id": string | null;
        "token": string | null;
        "kind": string | null;
        "folder": string | null;
        "name": string | null;
        "content": string | null;
        "files": Json | null;
      };
      "project_change": {
        "project": Json | null;
        "messages": number | null;
        "files": number | null;
        "replayed": boolean | null;
      };
      "project_clone": {
        "id": string | null;
        "source_id": string | null;
        "status": string | null;
        "code": string | null;
        "messages": number | null;
        "total_messages": number | null;
        "files": number | null;
        "total_files": number | null;
        "started_at": string | null;
        "finished_at": string | null;
        "project": Json | null;
        "replayed": boolean | null;
      };
      "replaced_chat_key": {
        "id": string | null;
        "kind": string | null;
        "key_id": string | null;
        "is_current": boolean | null;
        "created_at": string | null;
        "replaced_at": string | null;
        "kept_until": string | null;
      };
      "replaced_chat_key_wrap": {
        "id": string | null;
        "kind": string | null;
        "key_id": string | null;
        "salt": string | null;
        "iterations": number | null;
        "memory_kib": number | null;
        "passes": number | null;
        "wrap": string | null;
        "created_at": string | null;
      };
      "saved_chat": {
        "id": string | null;
        "version": number | null;
        "data_version": number | null;
        "next_segment": number | null;
        "is_starred": boolean | null;
        "key_id": string | null;
        "bytes": number | null;
        "created_at": string | null;
        "updated_at": string | null;
        "conflict": Json | null;
        "replayed": boolean | null;
      };
      "saved_messages": {
        "messages": Json | null;
        "entry": Json | null;
        "replayed": boolean | null;
      };
      "started_conversation": {
        "conversation": Json | null;
        "messages": Json | null;
        "replayed": boolean | null;
      };
      "storage_usage": {
        "bucket": string | null;
        "used": number | null;
        "reserved": number | null;
        "allowed": number | null;
      };
      "team_change": {
        "team": Json | null;
        "credits": number | null;
        "projects": number | null;
        "replayed": boolean | null;
      };
      "team_invitation": {
        "id": string | null;
        "team_id": string | null;
        "team_name": string | null;
        "invitee_id": string | null;
        "email": string | null;
        "role": string | null;
        "invited_by": string | null;
        "status": string | null;
        "created_at": string | null;
        "expires_at": string | null;
        "answered_at": string | null;
        "replayed": boolean | null;
      };
      "upload_reservation": {
        "id": string | null;
        "bucket": string | null;
        "path": string | null;
        "upload_path": string | null;
        "name": string | null;
        "size": number | null;
        "content_type": string | null;
        "project_id": string | null;
        "chat_id": string | null;
        "status": string | null;
        "expires_at": string | null;
        "is_opaque": boolean | null;
        "stored_type": string | null;
        "refusal": Json | null;
        "version": string | null;
        "replayed": boolean | null;
      };
      "webhook_receipt": {
        "id": number | null;
        "provider": string | null;
        "event_id": string | null;
        "type": string | null;
        "outcome": string | null;
        "attempts": number | null;
        "result": Json | null;
        "error": string | null;
        "replayed": boolean | null;
      };
      "webhook_replay": {
        "replayed": number | null;
        "processed": number | null;
        "ignored": number | null;
        "failed": number | null;
        "payload_gone": number | null;
        "errors": Json | null;
        "next_after": number | null;
      };
    };
  };
};

type DatabaseWithoutInternals = Omit<Database, "__InternalSupabase">;

type DefaultSchema = DatabaseWithoutInternals[Extract<keyof Database, "public">];

export type Tables<
  DefaultSchemaTableNameOrOptions extends
    | keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof (
      & DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
      & DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"]
    )
    : never = never,
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals } ? (
    & DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    & DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"]
  )[TableName] extends {
    Row: infer R;
  } ? R
  : never
  : DefaultSchemaTableNameOrOptions extends keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
    ? (DefaultSchema["Tables"] & DefaultSchema["Views"])[DefaultSchemaTableNameOrOptions] extends {
      Row: infer R;
    } ? R
    : never
  : never;

export type TablesInsert<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema["Tables"]
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never = never,
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends
    {
      Insert: infer I;
    } ? I
  : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
    ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
      Insert: infer I;
    } ? I
    : never
  : never;

export type TablesUpdate<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema["Tables"]
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never = never,
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends
    {
      Update: infer U;
    } ? U
  : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
    ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
      Update: infer U;
    } ? U
    : never
  : never;

export type Enums<
  DefaultSchemaEnumNameOrOptions extends
    | keyof DefaultSchema["Enums"]
    | { schema: keyof DatabaseWithoutInternals },
  EnumName extends DefaultSchemaEnumNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"]
    : never = never,
> = DefaultSchemaEnumNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"][EnumName]
  : DefaultSchemaEnumNameOrOptions extends keyof DefaultSchema["Enums"]
    ? DefaultSchema["Enums"][DefaultSchemaEnumNameOrOptions]
  : never;

export type CompositeTypes<
  PublicCompositeTypeNameOrOptions extends
    | keyof DefaultSchema["CompositeTypes"]
    | { schema: keyof DatabaseWithoutInternals },
  CompositeTypeName extends PublicCompositeTypeNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"]
    : never = never,
> = PublicCompositeTypeNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"][
    CompositeTypeName
  ]
  : PublicCompositeTypeNameOrOptions extends keyof DefaultSchema["CompositeTypes"]
    ? DefaultSchema["CompositeTypes"][PublicCompositeTypeNameOrOptions]
  : never;

export const Constants = {
  "public": {
    Enums: {
      "message_editing_enum": ["author", "members"],
      "message_role_enum": ["user", "assistant", "system"],
      "project_status_enum": ["active", "archived", "deleted", "cloning"],
      "subscription_status_enum": ["active", "canceled", "past_due", "unpaid", "incomplete"],
      "task_status_enum": ["pending", "processing", "completed", "error"],
    },
  },
} as const;
