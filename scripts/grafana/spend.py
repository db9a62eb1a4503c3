"""
The dashboard of what it costs, by prices that whoever looks at it sets.
"""

from scripts.grafana.panels import GREEN, RED, YELLOW, Board, Panel, Price, Query, Unit
from scripts.grafana.promql import increase, named, rate

SPENT = f"{increase('store_commands_total')} * $billed / 100000 * $command_price"
SPARED, SENT = (
    f"{increase('context_tokens_total', f'part="{part}"')} / 1000000 * $token_price" for part in ("omitted", "kept")
)

SPEND = Board(
    "spend",
    "what it costs, and what it spares",
    "Money in the time that is shown, by the prices that are set above; a bill says what it really was.",
    (
        Panel(
            "What does the store cost?",
            "Commands sent, times what each is billed as (a script is billed as what it runs), times the price of "
            "100,000.",
            Unit.USD,
            (Query(SPENT, ""),),
            is_number=True,
            width=8,
        ),
        Panel(
            "What do the contexts cost at the model's provider?",
            "Tokens kept in contexts, at the price of a million.",
            Unit.USD,
            (Query(SENT, ""),),
            is_number=True,
            width=8,
        ),
        Panel(
            "What would the rest of the histories have cost?",
            "Tokens left out of contexts, at the same price.",
            Unit.USD,
            (Query(SPARED, ""),),
            is_number=True,
            width=8,
        ),
        Panel(
            "What is sent to the store?",
            "Commands and scripts, by name.",
            Unit.PER_SECOND,
            (Query(rate("store_commands_total", by="command"), "{{command}}"),),
            is_stacked=True,
        ),
        Panel(
            "How many commands does an answer take?",
            "None, where an instance's memory is fresh enough.",
            Unit.COUNT,
            (Query(f"{rate('store_commands_total')} / {rate('requests_total')}", "commands"),),
        ),
        Panel(
            "What becomes of the tokens of conversations?",
            "kept in contexts, or omitted from them.",
            Unit.PER_SECOND,
            (Query(rate("context_tokens_total", by="part"), "{{part}}"),),
            is_stacked=True,
        ),
        Panel(
            "How many tokens are counted?",
            "A text once, when it is appended, or asked about; by encoding.",
            Unit.PER_SECOND,
            (Query(rate("tokens_counted_total", by="encoding"), "{{encoding}}"),),
            is_stacked=True,
        ),
        Panel(
            "Whose budget is near its end?",
            "The largest share that any tenant had used or reserved, lately. Which tenant it is stands in no metric.",
            Unit.SHARE,
            (Query(f"max by (window) ({named('budget_used_max_ratio')})", "{{window}}"),),
            {None: GREEN, 0.9: YELLOW, 1: RED},
            width=24,
        ),
    ),
    (
        Price("command_price", "USD for 100,000 commands", "0.20"),
        Price("billed", "commands billed for one that is sent", "5"),
        Price("token_price", "USD for a million input tokens", "2.50"),
    ),
)
