"""Pairs of statements in the order in which they were made: does the second replace the first?

Made for the tests, of several domains. The rules were written with the first ones in mind; at the first look, they
judged the held-out ones with precision 0.96 and recall 0.90.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pair:
    """What was said earlier and later; by whom, where it is not the same speaker."""

    older: str
    newer: str
    replaced: bool
    older_speaker: str = "Ann"
    newer_speaker: str = "Ann"


_REPLACED = """
I moved to Lisbon. | I moved to Porto last month.
i live in lisbon | i live in porto now
I'm living in Graz these days. | We've just relocated to Vienna!
We live in Boston. | I don't live in Boston any more.
Ann lives in Porto. | Ann moved to Madrid.
My sister lives in Hamburg. | My sister moved to Bremen.
I'm based in Oslo. | I'm now based in Bergen.
My address is in Leeds. | My new address is in York.
I work at Acme. | I quit Acme and started at Globex.
I work for the city library. | I'm working for a museum now.
I joined Initech in the spring. | I got a new job at Globex.
I work at Google. | I was laid off from Google.
I work at Acme. | I quit my job last week.
Ben works for Siemens. | Ben joined Bosch.
My phone number is 0660 1234567. | My new phone number is 0664 7654321.
My number is 555-123-4567. | my number has changed to 555-987-6543
My e-mail address is ann@old.example. | My new email is ann@new.example.
Ann's phone number is +1 202 555 0143. | Ann's number is now +1 202 555 0199.
We're naming the dog Biscuit. | We renamed the dog Marlow.
Our dog is called Rex. | Our dog is now called Bruno.
My boss is Olga. | My new boss is Henrik.
Dr. Weber is my dentist. | Dr. Lang is my new dentist.
I'm dating Tomas. | I'm engaged to Yuki now.
I'm married to Sven. | I got divorced from Sven.
I'm together with Lea. | Lea and I broke up. I'm dating Nora.
My favourite colour is blue. | My favourite colour is green.
My favorite food has always been pizza. | My favourite food is sushi now.
I'm 34 years old. | I just turned 35.
My rent is 800 euros. | My rent is now 950 euros.
We have two kids. | We have three kids now!
I'm vegetarian. | I'm vegan now.
I drive a red Volvo. | I drive a Tesla now.
The meeting is on Tuesday. | The meeting is now on Thursday.
The launch is on May 3. | The launch was moved to May 17.
My dentist appointment is on Monday. | My dentist appointment got postponed to Friday.
The standup is at 9:30. | The standup has been moved to 10:00.
The door code is 4711. | The door code is now 8080.
The CEO of Globex is Maria Lopez. | The CEO of Globex is now Henrik Dahl.
I'm majoring in physics. | I switched majors, I'm majoring in law now.
I work as a nurse. | I've been promoted, I work as a manager now.
I get up at 6:30. | These days I get up at 5:15.
My weight is 80 kg. | My weight is 76 kg.
"""
_BOTH_HOLD = """
I moved to Lisbon. | I visited Porto last month.
I live in Lisbon. | I'd love to live in Porto.
I live in Lisbon. | I used to live in Porto.
I live in Lisbon. | When I was a kid we moved to Ohio.
I live in Lisbon. | I'm thinking of moving to Rome.
I live in Lisbon. | If I lived in Rome, I would eat ice cream every day.
I live in Lisbon. | I live in Portugal.
I live in Lisbon. | I live in a small flat in Lisbon.
I live in Lisbon. | Ben lives in Porto.
I live in Lisbon. | My sister lives in Porto.
I live in Lisbon. | Do you think I live in Porto?
I live in Lisbon. | I lived in Porto for two years.
I live in Lisbon. | She lives in Porto.
I live in Lisbon. | Everyone lives in fear.
I live in Lisbon. | I stayed in Porto for a week.
I live in Lisbon. | I moved the sofa to the kitchen.
I live in Lisbon. | We moved on to the next topic.
I used to live in Berlin. | I live in Lisbon.
I work at Acme. | I worked at Initech before.
I work at Acme. | I work at home on Fridays.
I work at Acme. | I'm applying for a job at Globex.
I work at Acme. | My husband works at Globex.
I work at Acme. | I'd never work for Globex.
I work at Acme. | I volunteer at the animal shelter on weekends.
I work at Acme. | I work part-time at a bakery, too.
I work at Acme. | I have worked at Acme for ten years.
I work at Acme. | I quit smoking.
I work at Acme. | I left Berlin yesterday.
My phone number is 0660 1234567. | My work phone number is 01 5551234.
My phone number is 0660 1234567. | My number is +43 660 123 45 67.
My phone number is 0660 1234567. | Ben's phone number is 0664 7654321.
Our dog is called Rex. | Our cat is called Minka.
Our dog is called Rex. | My neighbour's dog is called Bruno.
My friend is called Tom. | My friend is called Alice.
I like pizza. | I like sushi.
I play the drums. | I play the trumpet.
I'm learning Spanish. | I'm learning Polish.
I bought a red car. | I bought a blue bike.
I read a book about chess. | I read a book about volcanoes.
I went to Rome in May. | I went to Paris in June.
My favourite colour is green. | My favourite food is sushi.
One of my favourite colours is blue. | One of my favourite colours is green.
I'm dating Tomas. | I had lunch with Yuki.
I'm dating Tomas. | I met Tomas at a salsa evening.
The meeting is on Tuesday. | The dinner is on Thursday.
The meeting is on Tuesday. | The meeting is at 3pm.
The meeting is on Tuesday. | The meeting was great.
The project meeting is on Tuesday. | The budget meeting is on Thursday.
I'm vegetarian. | I'm a teacher.
I'm happy. | I'm tired now.
I drive a red Volvo. | I drive to work every day.
I work as a nurse. | I'm a mother of two.
My sister Ana lives in Hamburg. | My sister Ruth lives in Bremen.
Ann lives in Porto. | Anna lives in Madrid.
I hate coffee. | I don't drink tea.
My weight is 80 kg. | My height is 180 cm.
We have two kids. | We have two cats.
My daughter is called Ines. | My daughter is called Paula.
"""
# Other wordings, other domains.
_HELD_OUT_REPLACED = """
We settled down in Tromso. | Big change: we've moved back to Turku.
I'm residing in Kyoto at the moment. | I no longer live in Kyoto.
My parents live in Split. | My parents moved to Zadar this spring.
hey, i moved to denver | so i'm living in austin now
Omar lives in Cairo. | Omar has relocated to Dubai.
I am employed at Riverside Clinic. | I signed a contract with the Westend Hospital.
I'm working for a law firm. | I landed a job at Oxfam!
Priya works at Infosys. | Priya quit Infosys.
I started at the zoo on Monday. | I resigned from the zoo.
I work for Nokia. | I switched jobs to Ericsson.
My mobile number is (415) 555-0132. | My new mobile number is (628) 555-0177.
my email is kai@mail.example | my new email address is kai.berg@post.example
Our band is called The Lanterns. | We renamed the band to Copper Lanterns of Bruges.
We called the boat Selma. | The boat is now called Freya.
Our landlord is Mr. Novak. | Our new landlord is Mrs. Horak.
I'm going out with Milan. | I broke up with Milan.
Zoe is my therapist. | Marta is my new therapist.
My all-time favourite film is Heat. | My favourite film is Paddington.
My son is 5 years old. | My son turned 6 today.
The rent is 1,200 dollars. | Our rent is 1,350 dollars now.
I've gone vegan. | I'm pescatarian now.
The demo is on Wednesday at 2pm. | We moved the demo to Friday.
The thesis deadline is March 1. | The thesis deadline has been postponed to April 15.
Our flight is on Saturday. | Our flight was rescheduled to Sunday.
The final exam is at 9:00. | The final exam has been moved to 14:00.
The team sync is on Mondays. | The team sync is now on Wednesdays.
My locker is B12. | My new locker is C07.
The mayor of Ghent is Filip Watt. | The mayor of Ghent is now Hafsa Verlin.
I study at Uppsala University. | I'm studying at Lund University now.
My salary is 52,000. | My salary is now 58,000.
"""
_HELD_OUT_BOTH_HOLD = """
We settled down in Tromso. | We're flying to Turku for Easter.
We settled down in Tromso. | My brother settled in Turku.
I live in Kyoto. | I grew up in Osaka.
I live in Kyoto. | In 2009 I moved to Osaka, but that was a short story.
I live in Kyoto. | I want to move to Osaka some day.
I live in Kyoto. | I wish I lived in Osaka.
I live in Kyoto. | Imagine we lived in Osaka!
I live in Kyoto. | We're moving to Osaka next year.
I live in Kyoto. | I lived in Osaka as a student.
I live in Texas. | I live in Austin.
I live in Kyoto. | The company moved to Osaka.
I live in Kyoto. | My heart lives in Osaka.
I'm employed at Riverside Clinic. | I had an interview at the Westend Hospital.
I'm employed at Riverside Clinic. | The nurse works at the Westend Hospital.
I'm employed at Riverside Clinic. | I worked on the report for hours.
I work for Nokia. | I have never worked for Ericsson.
I work for Nokia. | I might join Ericsson.
I work for Nokia. | I joined a choir.
I work for Nokia. | I left the house at seven.
I work for Nokia. | I started with the hard questions.
I work for Nokia. | I joined Ericsson's summer party.
My mobile number is (415) 555-0132. | My number at the race was 415.
My email is kai@mail.example. | Her email is zoe@post.example.
My email is kai@mail.example. | My work email is k.berg@firm.example.
Our band is called The Lanterns. | Our album is called Copper.
We called the boat Selma. | We called the police.
I'm going out with Milan. | I'm going out with friends tonight.
I'm going out with Milan. | I'm married to my job, you know.
My favourite film is Heat. | My brother's favourite film is Paddington.
My favourite film is Heat. | I watched Paddington yesterday.
My son is 5 years old. | My daughter is 6 years old.
My son is 5 years old. | The house is 90 years old.
I've gone vegan. | My cousin is vegetarian now.
The demo is on Wednesday. | The demo went well.
The demo is on Wednesday. | The client demo is on Friday.
Our flight is on Saturday. | Their flight was moved to Sunday.
My exam is on Tuesday. | Ben's exam is now on Friday.
My locker is B12. | My gate is C07.
I visited Ghent in March. | I visited Bruges in April.
I planted tomatoes. | I planted beans instead.
I have a cat. | I have a dog now.
I love jazz. | I love techno now.
I take yoga classes. | I take swimming classes now.
I speak Finnish. | I'm learning Norwegian now.
I'm allergic to nuts. | I'm allergic to cats.
I'm reading a novel about whales. | I'm reading a novel about bees now.
My brother called me on Monday. | My brother called me on Friday.
"""


def _pairs(lines: str, *, replaced: bool) -> list[Pair]:
    split = [line.split(" | ") for line in lines.strip().splitlines()]
    return [Pair(older, newer, replaced) for older, newer in split]


SEEN = _pairs(_REPLACED, replaced=True) + _pairs(_BOTH_HOLD, replaced=False)
HELD_OUT = _pairs(_HELD_OUT_REPLACED, replaced=True) + _pairs(_HELD_OUT_BOTH_HOLD, replaced=False)
