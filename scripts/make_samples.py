"""Make every file under samples/: run `python -m scripts.make_samples` from the repository root.

The documents belong to one fictional company, Kestrel Harbour Instruments. Two runs write the same bytes.
"""

# ruff: noqa: E501  # prose reads better unbroken
import io
import re
import shutil
import struct
import zipfile
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import docx
import openpyxl
import pikepdf
import pptx
from PIL import Image, ImageDraw, ImageFont
from pptx.util import Cm, Pt
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.pdfgen import canvas
from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from scripts.sample_handbook import field_service_handbook

SAMPLES = Path(__file__).parent.parent / "samples"
BROKEN = SAMPLES / "broken"
MADE_AT = datetime(2026, 6, 30, 9, 0, 0)  # noqa: DTZ001  # office formats store local time without a zone

LEASE = (
    (
        "1. Parties and premises",
        "This lease is made between Gannet Quay Estates Ltd. (the landlord) and Kestrel Harbour Instruments Ltd. "
        "(the tenant). The landlord lets to the tenant Unit 7 of the Quayside Works in Arden: a workshop of 620 "
        "square metres, offices of 180 square metres on the upper floor, and eight parking spaces.",
    ),
    (
        "2. Term",
        "The lease begins on 1 March 2025 and runs for five years. It is prolonged by one year at a time unless "
        "one of the parties gives notice.",
    ),
    (
        "3. Notice",
        "The notice period is six months to the end of a quarter. Notice must be given in writing and reach the "
        "other party by registered letter. The tenant may end the lease early, for the first time on 31 March 2028, "
        "against a payment of two monthly rents.",
    ),
    (
        "4. Rent",
        "The monthly rent follows the table below. It is due on the third working day of the month. Arrears bear "
        "interest of 6 per cent a year.",
    ),
    (
        "5. Deposit",
        "The tenant pays a deposit of 24,600 euros, which is three monthly rents of the first year. The landlord "
        "keeps it in a separate account and returns it with interest within eight weeks after the keys are handed "
        "back.",
    ),
    (
        "6. Repairs",
        "The landlord keeps the roof, the outer walls and the crane rails in repair. The tenant bears small repairs "
        "inside up to 800 euros each, and at most 4,000 euros a year. The overhead crane is inspected every year by "
        "an expert whom the landlord appoints and the tenant pays.",
    ),
    (
        "7. Use",
        "The premises serve the development, assembly and repair of measuring instruments. Up to 200 litres of "
        "solvents of hazard class II may be stored in the fire-proof cabinet. Machines louder than 70 decibels at "
        "the boundary run only between 07:00 and 19:00 on working days.",
    ),
    (
        "8. Subletting",
        "Subletting needs the written consent of the landlord, who may refuse it only for a serious reason.",
    ),
    (
        "9. Flood",
        "The quay lies 3.2 metres above the mean water level. The tenant keeps nothing of value below 60 "
        "centimetres from the floor. When the port gives flood warning level 2 the tenant closes the barrier boards "
        "of the north gate.",
    ),
)
RENT = (
    ("Year", "From", "Monthly rent", "Service charge"),
    ("1", "1 March 2025", "8,200 EUR", "950 EUR"),
    ("2", "1 March 2026", "8,364 EUR", "975 EUR"),
    ("3", "1 March 2027", "8,531 EUR", "1,000 EUR"),
    ("4", "1 March 2028", "8,702 EUR", "1,025 EUR"),
    ("5", "1 March 2029", "8,876 EUR", "1,050 EUR"),
)


def _lease_pdf(path: Path) -> None:
    styles = getSampleStyleSheet()
    story: list[object] = [
        Paragraph("Commercial lease: Unit 7, Quayside Works", styles["Title"]),
        Spacer(1, 12),
    ]
    for heading, text in LEASE:
        if heading.startswith("6."):
            story.append(PageBreak())
        story += [Paragraph(heading, styles["Heading2"]), Paragraph(text, styles["BodyText"])]
        if heading.startswith("4."):
            table = Table([list(row) for row in RENT], hAlign="LEFT")
            table.setStyle(
                TableStyle(
                    [
                        ("GRID", (0, 0), (-1, -1), 0.5, colors.black),
                        ("BACKGROUND", (0, 0), (-1, 0), colors.lightgrey),
                    ]
                )
            )
            story += [Spacer(1, 6), table, Spacer(1, 6)]
    story.append(
        Paragraph(
            "Arden, 12 January 2025. Signed: R. Calder (landlord), M. Lindqvist (tenant)", styles["BodyText"]
        )
    )
    SimpleDocTemplate(
        str(path), pagesize=A4, title="Commercial lease: Unit 7, Quayside Works", author="Gannet Quay Estates",
        invariant=1,
    ).build(story)  # fmt: skip


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _page_image(lines: list[tuple[int, str]], size: tuple[int, int]) -> Image.Image:
    """Black text on white, one `(font size, text)` a line."""
    image = Image.new("L", size, 255)
    draw = ImageDraw.Draw(image)
    y = 90
    for height, text in lines:
        draw.text((100, y), text, font=_font(height), fill=0)
        y += int(height * 1.7)
    return image


DELIVERY_NOTE = [
    (52, "Delivery note 2026-0417"),
    (34, "Kestrel Harbour Instruments Ltd., Unit 7, Quayside Works, Arden"),
    (34, "To: Port of Arden Authority, Pilot Station, North Mole"),
    (34, "Date of delivery: 9 May 2026"),
    (34, ""),
    (34, "14 tide gauges TG-200, serial numbers 20611 to 20624"),
    (34, "3 data loggers DL-40, serial numbers 4107 to 4109"),
    (34, "600 metres of cable KH-4 on two drums"),
    (34, ""),
    (34, "Packed in two crates with a total weight of 212 kilograms."),
    (34, "One crate was damaged at a corner; the contents are complete."),
    (34, "Received by: Martha Osei, harbour master's office"),
]
NOTICE = [
    (48, "Visitor safety notice"),
    (32, "Quayside Works, Unit 7"),
    (32, ""),
    (32, "1. Sign in at the reception on the upper floor."),
    (32, "2. Wear safety shoes and a yellow vest in the workshop."),
    (32, "3. The assembly point is the car park of the Ferry Inn."),
    (32, "4. The first aider on duty is Wanda Petrie, extension 219."),
    (32, "5. Photography is allowed only with a green badge."),
]


def _scanned_pdf(path: Path) -> None:
    """An image and nothing else, as an office scanner makes it."""
    data = io.BytesIO()
    _page_image(DELIVERY_NOTE, (1240, 1000)).save(data, "PNG", optimize=True)
    data.seek(0)
    picture = canvas.ImageReader(data)
    page = canvas.Canvas(str(path), pagesize=(595, 480), invariant=1)
    page.drawImage(picture, 0, 0, 595, 480)
    page.showPage()
    page.save()


def _normalise_zip(path: Path) -> None:
    """Give every entry the same time stamp: the writers put in the time of the run."""
    data = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            fresh = zipfile.ZipInfo(entry.filename, (2026, 6, 30, 9, 0, 0))
            fresh.compress_type = zipfile.ZIP_DEFLATED
            # openpyxl stamps the time of saving over `modified`
            new.writestr(
                fresh, re.sub(rb"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"2026-06-30T09:00:00Z", old.read(entry))
            )
    path.write_bytes(data.getvalue())


HANDBOOK = (
    (
        "Working time",
        (
            ("Hours", "The working week has 37.5 hours. Core time is from 09:30 to 15:00. Whoever works longer than six hours takes a break of 30 minutes."),
            ("Working from home", "Everybody whose tools allow it may work from home on two days a week. Wednesday is the day on which all teams are in Arden."),
            ("Overtime", "Overtime is agreed with the team lead beforehand. Up to 40 hours stand in the time account; what is above is paid out in December with a supplement of 25 per cent."),
        ),
    ),
    (
        "Leave",
        (
            ("Annual leave", "Annual leave is 27 working days, and one more after each three years with the company, up to 32. Up to five days may be taken over until 31 March of the next year."),
            ("Sick leave", "Call in before 09:00. A doctor's certificate is needed from the fourth day. The company pays the full wage for eight weeks."),
            ("Parental leave", "Both parents receive twelve weeks at full pay within the first year of the child. The request is made eight weeks before."),
        ),
    ),
    (
        "Joining and leaving",
        (
            ("Probation", "The probation period is four months. During it either side may end the contract with two weeks' notice."),
            ("Notice", "After probation the notice period of employees is two months to the end of a month; after five years with the company it is three months."),
            ("Equipment", "Laptop, telephone and access card are returned on the last working day to the service desk."),
        ),
    ),
    (
        "Security",
        (
            ("Passwords", "Passwords have at least 14 characters and are kept in the password store. Nobody from the service desk will ever ask for one."),
            ("Lost devices", "A lost device is reported within two hours to extension 300, also at night, so that it can be wiped."),
            ("Visitors", "Visitors are signed in at the reception and accompanied at all times in the workshop."),
        ),
    ),
)  # fmt: skip
ALLOWANCES = (
    ("Expense", "Limit", "Approved by"),
    ("Hotel, per night", "140 EUR (180 EUR in capitals)", "Team lead"),
    ("Meals, full day", "38 EUR", "nobody, day rate"),
    ("Private car, per kilometre", "0.38 EUR", "Team lead"),
    ("Training, per year", "1,500 EUR", "Head of department"),
    ("Home office chair, once", "350 EUR", "Head of people"),
)


def _handbook_docx(path: Path) -> None:
    document = docx.Document()
    properties = document.core_properties
    properties.title, properties.author = "Employee handbook", "Kestrel Harbour Instruments"
    properties.created = properties.modified = MADE_AT
    document.add_heading("Employee handbook", 0)
    document.add_paragraph(
        "Valid from 1 January 2026 for all employees of Kestrel Harbour Instruments in Arden and Lowmoor."
    )
    for chapter, sections in HANDBOOK:
        document.add_heading(chapter, 1)
        for heading, text in sections:
            document.add_heading(heading, 2)
            document.add_paragraph(text)
    document.add_heading("Expenses", 1)
    document.add_paragraph(
        "Expenses are paid within 14 days after the receipts have been handed in. The limits are:"
    )
    table = document.add_table(rows=0, cols=3)
    for row in ALLOWANCES:
        for cell, text in zip(table.add_row().cells, row, strict=True):
            cell.text = text
    document.add_paragraph("Before a journey abroad:")
    for item in (
        "book the train when it takes less than six hours",
        "take the A1 certificate along",
        "tell the service desk which devices travel",
    ):
        document.add_paragraph(item, style="List Bullet")
    document.save(str(path))
    _normalise_zip(path)


SLIDES = (
    ("Where we stand", ("Revenue in the second quarter: 4.18 million euros, 11 per cent above the plan", "Order book: 9.6 million euros, of which 3.1 million is the Thornwick Barrage", "Service contracts renewed: 94 per cent")),
    ("The new radar gauge TG-310", ("Series production starts on 14 September 2026", "First 40 units are reserved for the Coastal Survey", "List price 4,950 euros, gross margin 46 per cent")),
    ("Risks", ("The supplier of the radar chip quotes a lead time of 26 weeks", "Two of five service engineers retire before March 2027", "The exchange rate of the krone costs 80,000 euros a quarter")),
)  # fmt: skip
REVENUE = (
    ("Region", "Q1 2026", "Q2 2026"),
    ("British Isles", "1.42 M EUR", "1.61 M EUR"),
    ("Nordic countries", "0.97 M EUR", "1.15 M EUR"),
    ("Iberia", "0.58 M EUR", "0.63 M EUR"),
    ("Elsewhere", "0.71 M EUR", "0.79 M EUR"),
)


def _review_pptx(path: Path) -> None:
    deck = pptx.Presentation()
    deck.core_properties.title, deck.core_properties.author = (
        "Sales review, second quarter 2026",
        "Priya Raman",
    )
    deck.core_properties.created = deck.core_properties.modified = MADE_AT
    first = deck.slides.add_slide(deck.slide_layouts[0])
    first.shapes.title.text = "Sales review, second quarter 2026"
    first.placeholders[1].text = "Priya Raman, head of sales, 8 July 2026"
    for title, points in SLIDES:
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text = title
        frame = slide.placeholders[1].text_frame
        frame.text = points[0]
        for point in points[1:]:
            frame.add_paragraph().text = point
    slide = deck.slides.add_slide(deck.slide_layouts[5])
    slide.shapes.title.text = "Revenue by region"
    table = slide.shapes.add_table(len(REVENUE), 3, Cm(2), Cm(5), Cm(20), Cm(7)).table
    for row, values in enumerate(REVENUE):
        for column, value in enumerate(values):
            table.cell(row, column).text = value
            table.cell(row, column).text_frame.paragraphs[0].font.size = Pt(16)
    slide.notes_slide.notes_text_frame.text = (
        "Nordic growth comes from one customer, the Saltholm Ferry company."
    )
    deck.save(str(path))
    _normalise_zip(path)


PRICES = (
    ("Article", "Description", "Unit price EUR", "Lead time weeks"),
    ("TG-200", "Tide gauge, pressure type", 1980, 3),
    ("TG-310", "Radar tide gauge", 4950, 12),
    ("WV-12", "Wave buoy", 14200, 10),
    ("CM-55", "Current meter", 6870, 8),
    ("CT-8", "Conductivity and temperature probe", 1340, 4),
    ("TB-3", "Turbidity probe", 1690, 4),
    ("DO-21", "Dissolved oxygen probe", 1520, 4),
    ("DL-40", "Data logger, 16 channels", 890, 2),
    ("RL-9", "Radio link, pair", 2250, 5),
    ("PV-80", "Solar supply, 80 watts", 760, 2),
    ("KH-4", "Cable, four cores, per metre", 4.2, 1),
)
DISCOUNTS = (
    ("Order value from EUR", "Discount per cent"),
    (10000, 3),
    (25000, 6),
    (60000, 9),
    (150000, 12),
)
SERVICE_RATES = (
    ("Service", "Rate EUR", "Per"),
    ("Engineer on site", 118, "hour"),
    ("Call-out without access", 290, "visit"),
    ("Calibration TG-200 in the workshop", 165, "piece"),
    ("Emergency call-out within 24 hours", 640, "visit"),
)


def _prices_xlsx(path: Path) -> None:
    book = openpyxl.Workbook()
    book.properties.title, book.properties.creator = "Price list 2026", "Kestrel Harbour Instruments"
    book.properties.created = book.properties.modified = MADE_AT
    book.remove(book.active)
    for title, rows in (("Instruments", PRICES), ("Discounts", DISCOUNTS), ("Service", SERVICE_RATES)):
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
        sheet.column_dimensions["B"].width = 40
    book.save(path)
    _normalise_zip(path)


INCIDENT_HTML = """\
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Incident report 2026-04-17: telemetry gateway down</title>
<style>body { font-family: sans-serif } .nav { color: grey }</style>
<script>console.log("this script is not part of the report");</script></head>
<body>
<h1>Incident report: telemetry gateway down</h1>
<p>Author: Dev Anand, platform team. Reviewed on 24 April 2026.</p>
<h2>Summary</h2>
<p>On 17 April 2026 the telemetry gateway accepted no values from 02:14 to 05:56 UTC, which is 3 hours and 42 minutes.
212 loggers of 31 customers were affected. No value was lost: the loggers kept their values and sent them later.</p>
<h2>Cause</h2>
<p>The TLS certificate of <code>gateway.kestrel-harbour.example</code> had expired. Its renewal had failed for 20 days
because the renewal account had been moved to another tenant. The alarm for failed renewals went to the mailbox of an
employee who had left in February.</p>
<h2>Timeline (UTC)</h2>
<table>
<tr><th>Time</th><th>Event</th></tr>
<tr><td>02:14</td><td>Certificate expires, first connection refused</td></tr>
<tr><td>03:05</td><td>Port of Arden telephones the duty engineer, Kira Mensah</td></tr>
<tr><td>04:40</td><td>Cause found</td></tr>
<tr><td>05:56</td><td>New certificate installed, values arrive</td></tr>
</table>
<h2>What we change</h2>
<ul>
<li>Certificates are watched from outside; the alarm rings 21 days before expiry. Owner: Dev Anand, by 8 May 2026.</li>
<li>Alarms go to the duty telephone, never to a person's mailbox. Owner: Kira Mensah, by 30 April 2026.</li>
<li>The loggers' firmware 5.2 reports to a second gateway. Owner: Luca Novak, by 30 September 2026.</li>
</ul>
</body>
</html>
"""

MINUTES_MD = """\
# Minutes of the management meeting

Kestrel Harbour Instruments, Arden, 12 June 2026, 10:00 to 11:45

Present: Maren Lindqvist (chair), Priya Raman, Ingrid Solberg, Dev Anand, Wanda Petrie (minutes)

## 1. Minutes of the last meeting

Approved without changes.

## 2. Second workshop in Lowmoor

Ingrid Solberg presented two offers. **Decision:** the hall at Mill Lane is rented from 1 October 2026 for
4,100 euros a month. The move of the repair group is budgeted with 65,000 euros.

## 3. Firmware 5.2

The release is postponed from 1 July to 15 August 2026, because the second gateway is not ready. Priya Raman tells
the Coastal Survey.

- the field test with 30 loggers goes on
- the old firmware is supported until 31 December 2027

## 4. Hiring

| Position | Team | Start | Budget |
| --- | --- | --- | --- |
| Service engineer | Field service | 1 September 2026 | 52,000 EUR |
| Service engineer | Field service | 1 January 2027 | 52,000 EUR |
| Radar specialist | Development | as soon as possible | 71,000 EUR |

## 5. Any other business

The summer party is on 21 August on the ferry *Saltholm Belle*. Wanda Petrie books the band.

Next meeting: 10 July 2026.
"""

SUPPLIERS_CSV = """\
Supplier;Country;Part;Lead time weeks;Contact;Rating
Fjordlinse AS;Norway;radar chip RX-24;26;Eirik Dahl;A
Brenta Guarnizioni;Italy;O-rings and gaskets;3;Chiara Zen;A
Möller & Söhne;Germany;pressure cells PC-7;9;Jörg Möller;B
Cabos do Tejo;Portugal;cable KH-4;5;Inês Rocha;A
Harrow Castings;United Kingdom;bronze housings;7;Beth Harrow;C
Polder Batterijen;Netherlands;lithium cells;4;Daan Visser;B
"""


def _claim_eml(path: Path) -> None:
    message = EmailMessage(policy=SMTP)
    message["From"] = "Martha Osei <m.osei@port-of-arden.example>"
    message["To"] = "Service desk <service@kestrel-harbour.example>"
    message["Date"] = "Tue, 02 Jun 2026 08:15:00 +0100"
    message["Subject"] = "Warranty claim: three TG-200 with damp housings"
    message["Message-ID"] = "<claim-2026-06-02@port-of-arden.example>"
    message.set_content(
        "Dear service desk,\n\n"
        "three of the fourteen tide gauges that you delivered on 9 May report damp in the housing (message E05). "
        "We ask for replacement under warranty before the spring tides of 18 June. The serial numbers and the "
        "humidity readings are in the attached list.\n\n"
        "Please note that gauge 20618 was installed by your engineer, the other two by our own staff.\n\n"
        "Kind regards\nMartha Osei\nHarbour master's office, Port of Arden\n"
    )
    message.add_attachment(
        "serial number,installed,humidity per cent,berth\n"
        "20613,2026-05-12,71,North Mole\n20618,2026-05-13,68,Ferry berth 2\n20622,2026-05-13,83,Coal quay\n",
        subtype="csv",
        filename="affected gauges.csv",
    )
    message.set_boundary("=-kestrel-2026")
    path.write_bytes(message.as_bytes())


def _password_pdf(path: Path) -> None:
    page = io.BytesIO()
    sheet = canvas.Canvas(page, pagesize=A4, invariant=1)
    sheet.drawString(72, 760, "Salary bands 2026, confidential")
    sheet.save()
    page.seek(0)
    with pikepdf.open(page) as pdf:
        # the old RC4 form has no random part, so that two runs write the same bytes
        lock = pikepdf.Encryption(owner="owner-of-the-sample", user="sample", R=3, aes=False, metadata=False)
        pdf.save(path, static_id=True, encryption=lock)


def _bomb_docx(path: Path) -> None:
    """A docx of half a megabyte whose text inflates to 540 MB."""
    block = b"a" * 1024 * 1024
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as bomb:

        def entry(name: str) -> zipfile.ZipInfo:
            info = zipfile.ZipInfo(name, (2026, 6, 30, 9, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            return info

        bomb.writestr(
            entry("[Content_Types].xml"),
            '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            '<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.'
            'wordprocessingml.document.main+xml"/></Types>',
        )
        with bomb.open(entry("word/document.xml"), "w", force_zip64=True) as part:
            part.write(
                b'<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>'
            )
            for _ in range(540):
                part.write(block)
            part.write(b"</w:t></w:r></w:p></w:body></w:document>")


def _voicemail_wav(path: Path) -> None:
    """A quarter of a second of a soft square wave: audio, which has no parser yet."""
    samples = b"".join(struct.pack("<h", 800 if (index // 20) % 2 else -800) for index in range(2000))
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        36 + len(samples),
        b"WAVE",
        b"fmt ",
        16,
        1,
        1,
        8000,
        16000,
        2,
        16,
        b"data",
        len(samples),
    )
    path.write_bytes(header + samples)


def make() -> None:
    """Write all samples anew; README.md stays."""
    BROKEN.mkdir(parents=True, exist_ok=True)
    _lease_pdf(SAMPLES / "lease.pdf")
    _scanned_pdf(SAMPLES / "delivery-note-scanned.pdf")
    _page_image(NOTICE, (1300, 640)).save(SAMPLES / "visitor-notice.png", optimize=True)
    _handbook_docx(SAMPLES / "employee-handbook.docx")
    _review_pptx(SAMPLES / "sales-review.pptx")
    _prices_xlsx(SAMPLES / "price-list.xlsx")
    (SAMPLES / "incident-report.html").write_text(INCIDENT_HTML, encoding="utf-8")
    (SAMPLES / "minutes.md").write_text(MINUTES_MD, encoding="utf-8")
    (SAMPLES / "suppliers.csv").write_text(SUPPLIERS_CSV, encoding="utf-8")
    (SAMPLES / "field-service-handbook.txt").write_text(field_service_handbook(), encoding="utf-8")
    _claim_eml(SAMPLES / "warranty-claim.eml")

    _password_pdf(BROKEN / "password-protected.pdf")
    lease = (SAMPLES / "lease.pdf").read_bytes()
    (BROKEN / "truncated.pdf").write_bytes(lease[: len(lease) // 3])
    _bomb_docx(BROKEN / "zip-bomb.docx")
    (BROKEN / "empty.txt").write_bytes(b"")
    shutil.copyfile(SAMPLES / "visitor-notice.png", BROKEN / "mislabelled-image.pdf")
    (BROKEN / "mislabelled-web-page.docx").write_text(
        "<!DOCTYPE html><html><head><title>Canteen</title></head><body><h1>Canteen</h1>"
        "<p>The canteen at Quayside Works is open from 11:30 to 13:45. The dish of the day costs 6.40 euros.</p>"
        "</body></html>\n",
        encoding="utf-8",
    )
    _voicemail_wav(BROKEN / "voicemail.wav")


if __name__ == "__main__":
    make()
