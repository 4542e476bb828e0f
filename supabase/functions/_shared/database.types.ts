export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[];

export type Database = {
  "public": {
    Tables: {
      "credit_accounts": {
        Row: {
          "balance": number;
          "created_at": string;
          "held": number;
          "id": string;
          "overdraft_limit": number;
          "team_id": string | null;
          "updated_at": string;
          "user_id": string | null;
          "version": number;
        };
        ComputedFields: never;
        Insert: {
          "balance"?: number;
          "created_at"?: string;
          "held"?: number;
          "id"?: string;
          "overdraft_limit"?: number;
          "team_id"?: string | null;
          "updated_at"?: string;
          "user_id"?: string | null;
          "version"?: number;
        };
        Update: {
          "balance"?: number;
          "created_at"?: string;
          "held"?: number;
          "id"?: string;
          "overdraft_limit"?: number;
          "team_id"?: string | null;
          "updated_at"?: string;
          "user_id"?: string | null;
          "version"?: number;
        };
        Relationships: [];
      };
      "credit_prices": {
        Row: {
          "created_at": string;
          "effective_from": string;
          "price": number;
          "quantity_scale": number;
          "sku": string;
          "unit": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "effective_from"?: string;
          "price": number;
          "quantity_scale"?: number;
          "sku": string;
          "unit": string;
        };
        Update: {
          "created_at"?: string;
          "effective_from"?: string;
          "price"?: number;
          "quantity_scale"?: number;
          "sku"?: string;
          "unit"?: string;
        };
        Relationships: [];
      };
      "credit_transactions": {
        Row: {
          "account_id": string;
          "actor": string;
          "actor_id": string | null;
          "amount": number;
          "balance_after": number;
          "created_at": string;
          "description": string | null;
          "entry_no": number;
          "idempotency_key": string | null;
          "kind": string;
          "quantity": number | null;
          "request_hash": string | null;
          "sku": string | null;
          "unit_price": number | null;
        };
        ComputedFields: never;
        Insert: {
          "account_id": string;
          "actor": string;
          "actor_id"?: string | null;
          "amount": number;
          "balance_after": number;
          "created_at": string;
          "description"?: string | null;
          "entry_no": number;
          "idempotency_key"?: string | null;
          "kind": string;
          "quantity"?: number | null;
          "request_hash"?: string | null;
          "sku"?: string | null;
          "unit_price"?: number | null;
        };
        Update: {
          "account_id"?: string;
          "actor"?: string;
          "actor_id"?: string | null;
          "amount"?: number;
          "balance_after"?: number;
          "created_at"?: string;
          "description"?: string | null;
          "entry_no"?: number;
          "idempotency_key"?: string | null;
          "kind"?: string;
          "quantity"?: number | null;
          "request_hash"?: string | null;
          "sku"?: string | null;
          "unit_price"?: number | null;
        };
        Relationships: [
          {
            foreignKeyName: "credit_transactions_account_id_fkey";
            columns: ["account_id"];
            isOneToOne: false;
            referencedRelation: "credit_accounts";
            referencedColumns: ["id"];
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
    };
    Views: {
      "user_credits": {
        Row: {
          "available": number | null;
          "balance": number;
          "held": number;
          "updated_at": string;
          "user_id": string | null;
        };
        ComputedFields: never;
        Insert: {
          "available"?: never;
          "balance"?: number | null;
          "held"?: number | null;
          "updated_at"?: string | null;
          "user_id"?: string | null;
        };
        Update: {
          "available"?: never;
          "balance"?: number | null;
          "held"?: number | null;
          "updated_at"?: string | null;
          "user_id"?: string | null;
        };
        Relationships: [];
      };
    };
    Functions: {
      "credits": {
        Args: { "": Database["public"]["Tables"]["profiles"]["Row"] };
        Returns:
          & { error: true }
          & "the function public.credits with parameter or with a single unnamed json/jsonb parameter, but no matches were found in the schema cache";
      };
      "deduct_credits": {
        Args: {
          "actor"?: string;
          "amount"?: number;
          "description"?: string;
          "idempotency_key"?: string;
          "quantity"?: number;
          "sku"?: string;
          "user_id": string;
        };
        Returns: Database["public"]["CompositeTypes"]["credit_entry"];
        SetofOptions: {
          from: "*";
          to: "credit_entry";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
    };
    Enums: {
      [_ in never]: never;
    };
    CompositeTypes: {
      "credit_entry": {
        "account_id": string | null;
        "entry_no": number | null;
        "kind": string | null;
        "amount": number | null;
        "balance_after": number | null;
        "sku": string | null;
        "quantity": number | null;
        "unit_price": number | null;
        "description": string | null;
        "created_at": string | null;
        "replayed": boolean | null;
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
    Enums: {},
  },
} as const;
