"""Units of quantities, by the words and symbols for them in the languages that are read."""

UNITS = (
    ("kg", r"kgs?|kilos?|kilograms?|kilogram+en?|kilogrammes?|kilogramos?|chilogramm[oi]|quilos?"),
    ("g", r"grams?|gramm|grammes?|gramos|grammi"),
    ("mg", r"mg|milligrams?"),
    ("t", r"tons?|tonnes?|tonnen|toneladas|tonnellate"),
    ("lb", r"lbs?\.?|pounds?"),
    ("oz", r"oz\.?|ounces?"),
    ("km", r"km|kilomet(?:er|re)s?|kilom\u00e8tres?|kil\u00f3metros?|chilometri"),
    ("m", r"met(?:er|re)s?|m\u00e8tres?|metros|metri"),
    ("cm", r"cm|centimet(?:er|re)s?|zentimeter"),
    ("mm", r"mm|millimet(?:er|re)s?"),
    ("mi", r"miles?"),
    ("ft", r"ft\.?|feet|foot"),
    ("in", r"inch(?:es)?"),
    ("l", r"lit(?:er|re)s?|litros?|litri"),
    ("ml", r"ml|millilit(?:er|re)s?"),
    ("gal", r"gallons?"),
    (
        "m2",
        r"m\u00b2|m2|sqm|qm|square met(?:er|re)s?|quadratmeter|m\u00e8tres carr\u00e9s|metros cuadrados"
        r"|metri quadrati",
    ),
    ("km2", r"km\u00b2|km2|square kilomet(?:er|re)s"),
    ("ft2", r"sq\.? ?ft\.?|square feet"),
    ("ha", r"ha|hectares?|hektar"),
    ("m3", r"m\u00b3|m3|cubic met(?:er|re)s?|kubikmeter"),
    ("kWh", r"kwh"), ("MWh", r"mwh"), ("kW", r"kw"), ("W", r"watts?"), ("V", r"volts?"), ("A", r"amperes?|amps?"),
    ("Ah", r"ah"), ("mAh", r"mah"), ("kVA", r"kva"), ("kN", r"kn"), ("dB", r"db|decibels?|dezibel"),
    ("bar", r"bar(?!\s(?:of|stools?|charts?|codes?)\b)"), ("mbar", r"mbar"), ("psi", r"psi"),
    ("kPa", r"kpa"), ("MPa", r"mpa"), ("hPa", r"hpa"), ("rpm", r"rpm|u/min"), ("dpi", r"dpi"),
    ("kcal", r"kcal"), ("kJ", r"kj"), ("px", r"px|pixels?"),
    ("Hz", r"hz"), ("kHz", r"khz"), ("MHz", r"mhz"), ("GHz", r"ghz"),
    ("KB", r"kb|kilobytes?"), ("MB", r"mb|megabytes?"), ("GB", r"gb|gigabytes?"), ("TB", r"tb|terabytes?"),
    ("kbps", r"kbps|kbit/s"), ("Mbps", r"mbps|mbit/s"), ("Gbps", r"gbps|gbit/s"),
    # Of a rate of interest: nobody counts a line's single bits any more.
    (
        "bps",
        r"bps|basis\spoints?|basispunkten?|points\sde\sbase|puntos\sb[\u00e1a]sicos|punti\sbase"
        r"|pontos[\s-]base",
    ),
    ("degC", r"\u00b0\s?c|degrees celsius|grad celsius"), ("degF", r"\u00b0\s?f|degrees fahrenheit"),
    ("km/h", r"km/h|kph"), ("mph", r"mph"),
    ("s", r"seconds?|secs?|sekunden?|secondes?|segundos|secondi"),
    ("min", r"min\.?|minutes?|mins|minuten|minutos|minuti"),
    ("h", r"hours?|hrs?\.?|stunden?|std\.?|heures?|horas?|ore|uur|timmar|timer"),
    ("d", r"days?|tagen?|jours?|d\u00edas?|giorni|dagen|dias|dagar|dage|dni"),
    ("wk", r"weeks?|wochen?|semaines?|semanas?|settimane|weken|veckor"),
    ("mo", r"months?|monaten?|mois|meses|mesi|maanden"),
    ("yr", r"years?|jahren?|jahre|ans|ann\u00e9es|a\u00f1os|anni|anos|jaar"),
    (
        "pcs",
        r"pcs\.?|pieces?|units?|items?|st\u00fcck|stk\.?|pi\u00e8ces?|unidades|unit\u00e9s?|pezzi|unit\u00e0|stuks?",
    ),
    (
        "pp",
        r"percentage\spoints?|prozentpunkten?|points\sde\spourcentage|puntos\sporcentuales|punti\spercentuali"
        r"|pontos\spercentuais|procentpoint|procentenheter",
    ),
    ("dozen", r"dozens?|dutzend|douzaines?|docenas?|dozzin[ae]|dozijn|dussin"),
    ("boxes", r"boxes|cartons?|kartons?|cajas|scatole"),
    ("pallets", r"pallets?|paletten?|palettes?"),
)  # fmt: skip
# As one letter, or where its case tells it from another unit, a unit is read as it is written.
SYMBOLS = (
    ("g", "g"), ("t", "t"), ("m", "m"), ("l", "[lL]"), ("h", "h"), ("W", "W"), ("V", "V"), ("MW", "MW"),
)  # fmt: skip
# Units that are a number of others.
MULTIPLES = {"dozen": (12, "pcs")}
