"""The words of :class:`algonets.data.SyntheticWords`, written for this project."""

__all__ = ["TEST_WORDS", "TRAIN_WORDS"]

_TEXT = """
able about above accept across action active actor after again against agree airport alarm almost alone
along already amount angle animal answer apple april around arrive artist autumn average away baker balance
banana band bank basket battle beach bear beauty because become before begin behind being believe below
better between bird bitter blanket blind board boat border bottle bottom brave bread break bridge bright
bring broken brother brush bucket build burn butter button camera candle captain carpet carry castle catch
cattle cause center chain chair chance change charge cheap cherry chicken child choice circle city clean
clear climb clock close cloud coast coffee cold color common copper corner cotton count country couple
course cousin cover cream cross crowd current curtain dance danger daughter decide deep deliver desert
dinner distance doctor dollar double dream dress drink driver during early earth eastern easy effort eight
either empty engine enough entire equal evening every example expect factor fairly falling family famous
farmer father feather fellow fence fever field fifteen fight figure final finger finish fire first fish
flavor flower follow forest forget fortune forward friend frozen fruit future garden gather gentle ghost
giant glass golden grain grand grape grass gravel great green ground grow guess guitar hammer handle happen
harbor hardly harvest heart heaven heavy helmet hidden history hollow honest honey horse hospital house
hunger hunter hurry hybrid island jacket jelly jewel join journey judge juice jump jungle junior just kettle
kind king kitchen kitten knife ladder language later laugh lazy leader learn leather leave lemon letter
level light linen listen little lively living lonely longer loud lower lucky lumber lunch machine manner
marble market master matter measure medal member middle mineral minute mirror mixture moment money monkey
morning mother motion mountain mouse music narrow nation nature needle neither nephew never night north
nothing notice number object ocean offer office often onion open orange orchard order other outside oven
oxygen paint palace panther paper parent partner party pastry peace pencil people pepper perfect picture
pillow planet plaster player pleasant plenty pocket poem police polite poster potato power prince problem
project promise proud public puzzle quarter queen question quick quiet quilt quite rabbit rather reach ready
reason record remain repair result return rhythm ribbon river rocket rough round rubber sailor salt sand
saving school science season second secret sentence seven shadow sharp shelter shine shoulder silent silver
simple singer sister sixty sleeping small smile smoke soldier solid something sound south special spoon
spring square squirrel stable station steam stone story strange stream string strong student sudden sugar
summer sunday supper surface surprise sweater table tailor taste teacher ten thank theater thing think
thirty thousand thread through thunder ticket tiger timber together tomato tower trade traffic train travel
tree trouble trust turning twelve twenty uncle under until upper useful valley value velvet village violin
vision visit voice wagon waiting walnut water weather wedding welcome western whale wheat whisper window
winter wisdom wonder wooden worker world worry writing yellow young zebra zero zigzag
"""
_WORDS = _TEXT.split()

# Every fifth word in the order above. The others hold each letter, and 98 % of the pairs of neighbours in the
# test words are neighbours in some training word too, so that transitions learned there help here.
TEST_WORDS = tuple(_WORDS[4::5])
TRAIN_WORDS = tuple(word for index, word in enumerate(_WORDS) if index % 5 != 4)
