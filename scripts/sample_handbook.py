"""The long sample text: a field service handbook of the fictional Kestrel Harbour Instruments.

The general chapters are written out; the chapters per instrument are put together from varied sentences and
from the figures of each instrument, so that every passage says something of its own.
"""

# ruff: noqa: E501  # prose reads better unbroken
import random
import textwrap
from dataclasses import dataclass

_GENERAL = """\
1. About this handbook

This handbook is for everyone at Kestrel Harbour Instruments who installs, services or repairs instruments at a
customer's site. It replaces the loose service notes that were kept at the Arden and Lowmoor workshops. The
handbook is reviewed every January by the head of field service, at present Ingrid Solberg. If something in it is
wrong or out of date, write to service-handbook@kestrel-harbour.example and name the section; corrections are
published within ten working days.

The word "must" marks a rule that is never set aside without the written consent of the head of field service.
The word "should" marks the usual way of working; depart from it when you have a reason, and note the reason in
the service report.

2. Before you leave the workshop

Every visit starts with a work order. A work order names the customer, the site, the instruments by serial
number, the contact person and the agreed time window. Do not travel without one: the insurance of the company
covers only visits that stand in the order book.

Read the last two service reports of the site. Most return visits are caused by something that the previous
engineer saw and did not have the part for. Check the parts list against the van; each van carries the standard
kit described in section 6, and the storekeeper needs one working day to add anything else.

Call the contact person on the working day before the visit. Confirm the time, the access to the site, whether a
boat or a ladder is needed, and whether somebody will be there to sign the report. A visit that fails because
nobody opened the gate is charged to the customer at the call-out rate in the price list.

3. Working at the water's edge

Nobody works alone within two metres of open water. The second person may be the customer's, but must be told
before the work begins what to do when somebody falls in. A life jacket with an automatic inflator is worn from
the moment you pass the edge line until you are back behind it. The inflator cartridge is changed every twelve
months, and the date stands on the label inside the collar.

Stop when the wind is above 14 metres a second at the place of work, when the wave height at the landing is above
60 centimetres, or when you cannot see the far end of the pier. You decide; no customer and no manager can order
you to go on. Write the time and the reason in the report, and the visit is repeated at no cost to the customer.

Ladders are tied at the top. A ladder that stands in water is tied at the foot as well. Tools that are used over
water are on a lanyard, because a dropped torque wrench costs more than the visit.

4. Electrical safety

Switch the supply off, lock it, and prove with a two-pole tester that it is dead. The lock and its key belong to
one person. On sites with battery banks the bank is disconnected at the isolator first, then at the fuse. The
supply of all our instruments is below 50 volts, yet the mains side of the cabinet is not ours to open: it belongs
to the customer's electrician.

Instruments with radio links radiate when they are powered. Keep 30 centimetres from the antenna of an RL series
transmitter, and switch it to standby before you work on the mast.

5. The service report

The report is written on the day of the visit, on site where there is a signal, and at the latest by noon of the
next working day. It says what you found, what you did, what you measured before and after, which parts went in,
and what remains to be done. Photographs show the mounting, the cable entry and the type plate. The customer signs
on the tablet; if nobody is there to sign, write the name of the person who was told by telephone.

Measured values are given with unit and instrument. "Fine" is not a value. A report without the values before the
adjustment cannot be used for a calibration certificate, and the visit has to be repeated.

6. The standard kit

Each van carries two TG-200 sensor heads, one DL-40 logger, one RL-9 radio, twelve desiccant cartridges, a set of
O-rings in the sizes 12 to 48, forty metres of the four-core cable KH-4, a reference pressure gauge with a valid
certificate, a two-pole tester, a torque wrench from 2 to 20 newton metres, isopropyl alcohol, silicone grease of
grade G2, and the spill kit. The kit is counted on the first Monday of the month. The list and the count are kept
by the storekeeper, Tomas Varga.

7. Travel, hours and expenses

Travelling time is working time. Nobody drives more than four and a half hours without a break of forty-five
minutes, and nobody drives after ten hours of work on site; take a room and send the bill. The limit for a room is
140 euros a night, 180 euros in capital cities. Meals are paid as a day rate of 38 euros for a full day away and
19 euros for the days of departure and return. Receipts are handed in by the fifth of the following month.

Call-outs at the weekend are paid at one and a half times the hourly rate, on public holidays at twice. The duty
engineer carries the service telephone from Friday 16:00 to Friday 16:00 and must answer within thirty minutes.

8. When something goes wrong

First people, then water, then instruments. Call the emergency number of the country, then the duty manager on
+44 555 0142. An injury, a spill of more than one litre of anything, or damage above 500 euros is reported on the
same day with form S-11. Near misses are reported too, with the same form, within three days; they are read every
Thursday and nobody has ever been blamed for one.

A customer's data is the customer's. A logger that comes back for repair is read out, the data are sent to the
customer, and the memory is erased only after the customer has confirmed in writing that the data arrived.
"""


@dataclass(frozen=True)
class Instrument:
    """What differs from one instrument to the next."""

    code: str
    name: str
    purpose: str
    quantity: str
    unit: str
    range_high: float
    accuracy: str
    supply: str
    torque_nm: float
    interval_months: int
    warm_up_min: int
    seal: str
    wear_part: str
    place: str
    enemy: str


_INSTRUMENTS = (
    Instrument("TG-200", "tide gauge", "water level in harbours and tidal rivers", "water level", "metres", 12.0, "± 5 millimetres", "12 volts DC", 4.5, 12, 20, "O-ring 32", "the vented cable's desiccant cartridge", "a stilling tube on the quay wall", "silt in the tube"),
    Instrument("TG-310", "radar tide gauge", "water level without contact, under bridges and jetties", "distance to the water", "metres", 30.0, "± 3 millimetres", "24 volts DC", 6.0, 24, 5, "flange gasket F3", "the antenna's cover", "an arm of at least one metre over the water", "spiders' webs in the horn"),
    Instrument("WV-12", "wave buoy", "wave height and period in coastal waters", "wave height", "metres", 15.0, "± 2 per cent", "its own battery of 14.4 volts", 8.0, 18, 30, "hatch seal H2", "the mooring's rubber cord", "a mooring in 10 to 60 metres of water", "growth on the hull"),
    Instrument("CM-55", "current meter", "speed and direction of currents in channels", "current speed", "metres a second", 6.0, "± 1 per cent", "12 volts DC", 3.5, 12, 10, "O-ring 24", "the zinc anode", "a frame on the bed of the channel", "weed around the transducers"),
    Instrument("CT-8", "conductivity and temperature probe", "salinity at intakes and fish farms", "conductivity", "millisiemens a centimetre", 70.0, "± 0.05", "12 volts DC", 2.5, 6, 15, "O-ring 18", "the cell's guard", "a cage one metre below the lowest water", "oil film in the cell"),
    Instrument("TB-3", "turbidity probe", "suspended matter during dredging", "turbidity", "NTU", 4000.0, "± 3 per cent", "12 volts DC", 2.0, 6, 10, "O-ring 16", "the wiper blade", "a pole upstream of the dredger", "scratches on the window"),
    Instrument("DO-21", "dissolved oxygen probe", "oxygen at outfalls and fish farms", "oxygen", "milligrams a litre", 20.0, "± 0.1", "12 volts DC", 2.0, 4, 25, "O-ring 16", "the sensing cap", "a rope with a five kilogram weight", "sunlight on the cap"),
    Instrument("BP-6", "barometer", "air pressure, to correct unvented level sensors", "air pressure", "hectopascals", 1100.0, "± 0.2", "5 volts DC from the logger", 1.2, 24, 30, "filter cap P1", "the filter disc", "the shaded side of the cabinet", "a blocked filter"),
    Instrument("DL-40", "data logger", "collecting and storing the values of up to 16 instruments", "stored values", "million", 4.0, "a clock drift of 2 seconds a month", "9 to 30 volts DC", 1.5, 36, 2, "lid seal L1", "the lithium cell of the clock", "a cabinet with a lock, above the flood line", "damp in the connector block"),
    Instrument("RL-9", "radio link", "sending values over up to 25 kilometres of open water", "range", "kilometres", 25.0, "a bit error rate below one in a million", "24 volts DC", 5.0, 24, 3, "gland M20", "the surge arrester", "a mast with a clear view of the other end", "water in the coaxial connector"),
    Instrument("AN-2", "wind sensor", "wind speed and direction at berths", "wind speed", "metres a second", 60.0, "± 0.3", "24 volts DC", 7.0, 12, 1, "gasket G5", "the bearing pair", "the top of a mast, ten metres above the quay", "salt in the bearings"),
    Instrument("LK-1", "lock gate sensor", "the position of lock gates and sluices", "gate position", "degrees", 95.0, "± 0.25", "24 volts DC", 9.0, 12, 2, "O-ring 48", "the coupling disc", "the upper hinge of the gate leaf", "grease on the magnet ring"),
    Instrument("PV-80", "solar supply", "power for sites without mains", "charging power", "watts", 80.0, "a cell loss of 1 per cent a year", "its own panel", 6.5, 24, 1, "gland M16", "the battery", "a post facing south, tilted by 60 degrees", "gulls"),
    Instrument("IC-4", "ice sensor", "the onset of ice at slipways and gates", "ice thickness", "centimetres", 80.0, "± 1", "24 volts DC", 4.0, 12, 45, "O-ring 32", "the heater foil", "a recess in the quay wall at mean water", "drifting floes"),
)  # fmt: skip

_INSTALL = (
    "The {name} {code} belongs on {place}. Choose the spot with the customer and mark it on the site plan before "
    "a hole is drilled.",
    "Mount the {code} on {place}; a spot that can be reached without a boat saves two hours on every later visit.",
    "The right place for the {code} is {place}. If the customer wants another, explain what it does to the "
    "measurement and write the choice into the report.",
)
_TORQUE = (
    "The fastening bolts are tightened crosswise to {torque} newton metres and marked with paint.",
    "Tighten the bolts to {torque} newton metres, wait five minutes, and go round once more.",
    "Use the torque wrench: {torque} newton metres, no more, because the threads of the housing are plastic-lined.",
)
_SUPPLY = (
    "It runs on {supply}. Measure at the terminals under load, not at the fuse.",
    "The supply is {supply}; a drop of more than half a volt between cabinet and instrument means the cable is too "
    "thin or a core is broken.",
    "Its supply is {supply}. Reverse polarity does no harm, but the instrument stays dark and counts as a fault.",
)
_CALIBRATE = (
    "The {code} is calibrated every {interval} months. Let it warm up for {warm} minutes, take ten readings one "
    "minute apart, and compare their mean with the reference. The stated accuracy is {accuracy}.",
    "Calibration is due every {interval} months. After a warm-up of {warm} minutes the mean of ten readings must "
    "agree with the reference within the accuracy of {accuracy}; if it does not, clean first and adjust second.",
    "Every {interval} months the {code} is checked against the reference. It needs {warm} minutes to settle. "
    "A deviation beyond {accuracy} is adjusted once; if it comes back within a week, the sensor head is changed.",
)
_CLEAN = (
    "The usual enemy is {enemy}. Remove it by hand or with fresh water from a garden sprayer; never use a pressure "
    "washer, which drives water past the seal.",
    "Most bad readings of the {code} come from {enemy}. Clean with fresh water and a soft brush, then with isopropyl "
    "alcohol, and let it dry.",
    "Look first for {enemy}. A photograph before the cleaning helps the customer to understand why the interval "
    "cannot be made longer.",
)
_SEAL = (
    "The seal ({seal}) is renewed whenever the housing is opened, with a thin film of G2 grease on the new one.",
    "Opening the housing costs a seal: {seal}. An old one that looks good is still an old one.",
    "The part number of the seal is on the inside of the lid: {seal}. Wipe the groove with a cloth that leaves no "
    "fibres.",
)
_WEAR = (
    "Its wear part is {wear}; take one along on every visit and change it at the second sign of wear.",
    "Change {wear} at each calibration, and write its batch number into the report.",
    "Check {wear}. It lasts two intervals in clean water and hardly one in a busy harbour.",
)
_STORE = (
    "In the workshop the {code} is stored dry, between 5 and 35 degrees, with its caps on. After more than a year on "
    "the shelf it is calibrated before it goes out.",
    "Store the {code} in its own box. The box also carries the certificate, which is void once the two are parted.",
    "A spare {code} in the van is kept off the floor and is exchanged every six months with one from the store.",
)
_HANDOVER = (
    "Before leaving, watch the {quantity} for fifteen minutes on the tablet. The range ends at {high} {unit}; a value "
    "that sticks at the end of the range is a wiring fault, not a record.",
    "At the end compare the {quantity} with something that does not depend on us: a staff, a chart, a hand-held "
    "instrument. The {code} measures up to {high} {unit}.",
    "Leave only when the {quantity} has reached the customer's screen. Values above {high} {unit} are outside the "
    "range of the {code} and are flagged by the logger.",
)

_FAULTS = (
    ("no answer", "The {code} does not answer the logger. Check the supply at the terminals, then the order of the two data cores, then the address; the factory address is {address}."),
    ("noisy values", "The {quantity} jumps by more than ten times the accuracy from one reading to the next. Look for {enemy}, then for a screen that is earthed at both ends of the cable."),
    ("slow drift", "The {quantity} wanders over days although nothing changes on the site. Compare with the reference; a drift of the same sign at every visit means that the sensor head is worn and is to be changed, not adjusted."),
    ("supply low", "The {code} reports a supply below its limit. It is made for {supply}. Measure while the radio transmits, because only then does the load show."),
    ("damp inside", "The humidity cell in the housing is above 60 per cent. Open, dry for two hours in the van, renew the seal ({seal}), close with {torque} newton metres, and look again after a week."),
    ("clock wrong", "The time stamps of the {code} differ by more than ten seconds from the tablet. Set the clock through the logger, never by hand at the instrument, and note the offset: the customer may have to correct older values."),
    ("memory nearly full", "Less than a tenth of the memory is free. Read out, wait for the customer's confirmation as section 8 demands, and only then erase."),
    ("wrong address", "Two instruments of the site answer to the same address. Unplug all but the {code}, give it the factory address {address} plus the last digit of its serial number, and write the new address on its cable tag and on the site plan."),
    ("calibration overdue", "More than {interval} months have passed since the last calibration. The {code} goes on measuring, but the logger flags each value of the {quantity}, and the customer may not use them for a permit."),
    ("self-test failed", "The self-test at start has found a bad checksum. Switch off for {warm} minutes and on again; if the message stays, send the {code} to the Lowmoor workshop with form R-7."),
)  # fmt: skip


def _wrap(text: str) -> str:
    return textwrap.fill(text, width=112)


def _fields(instrument: Instrument, position: int) -> dict[str, str]:
    return {
        "code": instrument.code,
        "name": instrument.name,
        "quantity": instrument.quantity,
        "unit": instrument.unit,
        "high": f"{instrument.range_high:g}",
        "accuracy": instrument.accuracy,
        "supply": instrument.supply,
        "torque": f"{instrument.torque_nm:g}",
        "interval": str(instrument.interval_months),
        "warm": str(instrument.warm_up_min),
        "seal": instrument.seal,
        "wear": instrument.wear_part,
        "place": instrument.place,
        "enemy": instrument.enemy,
        "address": str(10 + position),
    }


_VISITS = (
    "At {site} the {code} had been mounted by another firm. The bolts were hand-tight and the {quantity} was wrong "
    "by a constant amount; after tightening to {torque} newton metres and a fresh calibration it agreed with the "
    "reference. The visit took {hours} hours.",
    "{site} called because the {code} had stopped at night. The cause was {enemy}. The engineer cleaned it, changed "
    "{wear}, and stayed for one full tide to be sure; the visit took {hours} hours.",
    "The harbour master of {site} did not trust the {quantity}. Ten readings against the reference lay within "
    "{accuracy}, so nothing was adjusted; the printed comparison hangs in his office now. The visit took {hours} "
    "hours.",
    "During the {season} at {site} the {code} reported a low supply every evening. It needs {supply}; a heater that "
    "the customer had put on the same fuse took the rest. It got its own fuse. The visit took {hours} hours.",
    "At {site} the housing of the {code} was opened without a new seal. Two weeks later it was full of water and had "
    "to be replaced. The seal ({seal}) costs less than the stamp on the invoice. The visit took {hours} hours.",
    "A fishing vessel hit the mounting at {site}. The {code} itself had survived and the {quantity} was right within "
    "{accuracy}, but every bolt was bent. New bolts, {torque} newton metres, a yellow guard in front of it, and a "
    "letter to the harbour office. The visit took {hours} hours.",
    "{site} asked for a longer interval than {interval} months. The values of three visits showed that the {quantity} "
    "had hardly moved, and the head of field service agreed to one trial of double length. The visit took {hours} "
    "hours.",
)
_SITES = (
    "Port of Arden", "Lowmoor Lock", "Gannet Quay", "Saltholm Ferry", "Corran Narrows", "Eastwick Marina", "Fenby Sluice",
    "Hollin Pier", "Inverlee Fish Farm", "Marrow Sound", "Northgate Dock", "Old Pell Bridge", "Quarry Point", "Rusk Island",
    "Stanner Bay", "Thornwick Barrage", "Ullin Head", "Westering Canal",
)  # fmt: skip
_SEASONS = (
    "first frost",
    "spring tides",
    "herring season",
    "August regatta",
    "autumn storms",
    "January dredging",
)


def _visits(chance: random.Random, instrument: Instrument, fields: dict[str, str]) -> list[str]:
    sites = chance.sample(_SITES, len(_VISITS))
    told = []
    for number, (story, site) in enumerate(zip(_VISITS, sites, strict=True), start=1):
        hours = chance.choice(("two", "three", "four", "five", "six", "seven"))
        told.append(
            _wrap(
                f"Case {instrument.code}/{number}. "
                + story.format(**fields, site=site, hours=hours, season=chance.choice(_SEASONS))
            )
        )
    return told


def _chapter(chance: random.Random, number: int, instrument: Instrument) -> str:
    fields = _fields(instrument, number)
    title = f"{number}. {instrument.code}, {instrument.name}"
    opening = (
        f"The {instrument.code} is for {instrument.purpose}. Its range ends at {fields['high']} "
        f"{instrument.unit}, its accuracy is {instrument.accuracy}, and it is serviced every "
        f"{instrument.interval_months} months."
    )

    def pick(choices: tuple[str, ...]) -> str:
        return chance.choice(choices).format(**fields)

    sections = (
        ("Installation", (_INSTALL, _TORQUE, _SUPPLY)),
        ("Calibration and handover", (_CALIBRATE, _HANDOVER)),
        ("Cleaning, seals and wear", (_CLEAN, _SEAL, _WEAR)),
        ("Storage", (_STORE,)),
    )
    parts = [title, _wrap(opening)]
    for index, (heading, groups) in enumerate(sections, start=1):
        parts.append(f"{number}.{index} {heading}")
        parts.append(_wrap(" ".join(pick(group) for group in groups)))
    parts.append(f"{number}.5 Messages of the {instrument.code}")
    for code, (name, remedy) in enumerate(_FAULTS, start=1):
        parts.append(_wrap(f"{instrument.code}-E{code:02d}, {name}. {remedy.format(**fields)}"))
    parts.append(f"{number}.6 Cases from the service book")
    parts.extend(_visits(chance, instrument, fields))
    return "\n\n".join(parts)


_PEOPLE = (
    "Aoife Brannigan", "Ben Castell", "Carla Duarte", "Dev Anand", "Elin Forsberg", "Farid Haddad", "Greta Imhof",
    "Hugo Jansen", "Ines Kowal", "Jonas Lindqvist", "Kira Mensah", "Luca Novak", "Mona Okafor", "Niall Price",
    "Olga Quint", "Pavel Reyes", "Rosa Sandoval", "Tariq Umar",
)  # fmt: skip
_ACCESS = (
    "The gate on the landward side is locked; the key hangs in the harbour office and is signed for.",
    "Drive up to the second barrier and ring; the guard opens on the name of the company, not of the engineer.",
    "There is no road. The ferry leaves at 07:40 and at 15:10, and the van stays on the mainland.",
    "The pier carries 2 tonnes at most: leave the van at its foot and take the trolley.",
    "The towpath is closed to vehicles between 09:00 and 17:00 in the school holidays.",
    "Report to the lock keeper first. While a vessel is in the chamber nobody crosses the gates.",
)
_HAZARDS = (
    "The lower steps are under water for three hours on each side of high tide and are slippery for the rest.",
    "The old bollards are not to be used as an anchor for ropes; the new ones are painted yellow.",
    "Vessels pass within four metres of the instrument. Ask the harbour radio on channel 12 for a quiet half hour.",
    "The mains cabinet next to ours belongs to the port and is live even when its lamp is dark.",
    "In spring the gulls nest behind the cabinet; between April and June no work is done on the mast.",
    "The wall is undercut. Nobody hangs a ladder on it without the second anchor.",
)
_REMARKS = (
    "The customer reads the values every morning at 06:00 and notices a gap before we do, so announce each visit.",
    "The instruments are shared with the weather service, which must be told two days before a calibration.",
    "An earlier engineer marked the levelling point with a brass bolt, 1.80 metres left of the cabinet.",
    "The reference staff was renewed after the last flood; older comparisons need a correction of 12 millimetres.",
    "Data go out by radio to the pilot station; if the link is down, telephone them before you switch anything off.",
    "The customer pays for one spare set, which is kept on the site in the blue chest.",
)


def _directory(chance: random.Random, number: int) -> str:
    """One entry for each site: who, how to get in, what stands there, what is dangerous."""
    parts = [
        f"{number}. Directory of sites",
        _wrap(
            "Each entry names the contact person, the way in, the instruments with their last two digits of the "
            "serial number, and what has hurt somebody or nearly did. Correct it after each visit."
        ),
    ]
    for index, (site, person) in enumerate(zip(_SITES, _PEOPLE, strict=True), start=1):
        there = chance.sample(_INSTRUMENTS, 4)
        listed = ", ".join(f"{one.code} ({chance.randint(10, 99)})" for one in there)
        due = chance.choice(("January", "March", "April", "May", "September", "October", "November"))
        minutes = chance.randrange(25, 240, 5)
        high, low = chance.randint(28, 90) / 10, chance.randint(2, 20) / 10
        parts.append(f"{number}.{index} {site}")
        parts.append(
            _wrap(
                f"Contact: {person}, telephone +44 555 {chance.randint(1000, 9999)}. The drive from the Arden workshop "
                f"takes {minutes} minutes. Instruments: {listed}. The yearly round is in {due}. Highest water "
                f"{high:.1f} metres, lowest {low:.1f} metres above the site's zero."
            )
        )
        access, hazards = chance.sample(_ACCESS, 2), chance.sample(_HAZARDS, 3)
        parts.append(_wrap(" ".join([*access, *hazards])))
        remarks = " ".join(chance.sample(_REMARKS, 3))
        focus = there[0]
        parts.append(
            _wrap(
                f"{remarks} The {focus.code} stands on {focus.place} and suffers from {focus.enemy}; bring "
                f"{focus.wear_part} and {focus.seal}. Its last calibration moved it by "
                f"{chance.randint(1, 9) / 10:.1f} of the stated accuracy ({focus.accuracy})."
            )
        )
    return "\n\n".join(parts)


def field_service_handbook() -> str:
    """The whole handbook, the same on every call."""
    chance = random.Random(1907)  # noqa: S311  # variety, not secrecy
    chapters = [_chapter(chance, number, one) for number, one in enumerate(_INSTRUMENTS, start=9)]
    chapters.append(_directory(chance, 9 + len(_INSTRUMENTS)))
    title = "Kestrel Harbour Instruments\n\nField service handbook, edition of January 2026\n"
    return title + "\n" + _GENERAL + "\n" + "\n\n".join(chapters) + "\n"
