"""The classes of the eight benchmarks that open-vocabulary segmentation is measured on.

Names are those of the datasets, written as phrases that CLIP knows: words apart, and a
synonym where the dataset's own word is none (``tv monitor``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .classes import ClassSet

__all__ = ["CLASS_PRESETS", "ClassPreset"]


@dataclass(frozen=True)
class ClassPreset:
    """Classes to begin with.

    Attributes
    ----------
    name : str
        Short and unique, such as ``"voc21"``.
    title : str
        For people.
    names : str
        Class names with synonyms, separated by semicolons, in the dataset's order.
    background : str
        Background words, separated by semicolons.
    source : str
        Who published the classes.
    """

    name: str
    title: str
    names: str
    background: str
    source: str

    @property
    def classes(self) -> ClassSet:
        """The classes as a run takes them."""
        words = [w.strip() for w in self.background.split(";") if w.strip()]
        return ClassSet.parse(" ".join(self.names.split()), words)


_VOC = """
aeroplane | airplane; bicycle; bird; boat; bottle; bus; car; cat; chair; cow;
dining table; dog; horse; motorbike | motorcycle; person; potted plant; sheep;
sofa | couch; train; tv monitor | television
"""

_STUFF_WORDS = """
sky; wall; tree; wood; grass; road; sea; river; mountain; sands; desk; bed; building;
cloud; lamp; door; window; wardrobe; ceiling; shelf; curtain; stair; floor; hill; rail;
fence
"""

_CONTEXT = """
aeroplane | airplane; bag; bed; bedclothes; bench; bicycle; bird; boat; book; bottle;
building; bus; cabinet; car; cat; ceiling; chair; cloth; computer; cow; cup; curtain;
dog; door; fence; floor; flower; food; grass; ground; horse; keyboard; light;
motorbike | motorcycle; mountain; mouse; person; plate; platform; potted plant; road;
rock; sheep; shelves; sidewalk; sign; sky; snow; sofa | couch; table; track; train;
tree; truck; tv monitor | television; wall; water; window; wood
"""

_COCO = """
person; bicycle; car; motorcycle; airplane; bus; train; truck; boat; traffic light;
fire hydrant; stop sign; parking meter; bench; bird; cat; dog; horse; sheep; cow;
elephant; bear; zebra; giraffe; backpack; umbrella; handbag; tie; suitcase; frisbee;
skis; snowboard; sports ball; kite; baseball bat; baseball glove; skateboard; surfboard;
tennis racket; bottle; wine glass; cup; fork; knife; spoon; bowl; banana; apple;
sandwich; orange; broccoli; carrot; hot dog; pizza; donut; cake; chair; couch;
potted plant; bed; dining table; toilet; tv; laptop; mouse; remote; keyboard;
cell phone; microwave; oven; toaster; sink; refrigerator; book; clock; vase; scissors;
teddy bear; hair drier; toothbrush
"""

_STUFF = """
banner; blanket; branch; bridge; other building; bush; cabinet; cage; cardboard; carpet;
other ceiling; tile ceiling; cloth; clothes; clouds; counter; cupboard; curtain; desk;
dirt; door; fence; marble floor; other floor; stone floor; tile floor; wood floor;
flower; fog; other food; fruit; other furniture; grass; gravel; other ground; hill;
house; leaves; light; mat; metal; mirror; moss; mountain; mud; napkin; net; paper;
pavement; pillow; other plant; plastic; platform; playing field; railing; railroad;
river; road; rock; roof; rug; salad; sand; sea; shelf; other sky; skyscraper; snow;
other solid; stairs; stone; straw; other structure; table; tent; other textile; towel;
tree; vegetable; brick wall; concrete wall; other wall; panel wall; stone wall;
tile wall; wood wall; other water; water drops; window blind; other window; wood
"""

_CITYSCAPES = """
road; sidewalk; building; wall; fence; pole; traffic light; traffic sign; vegetation;
terrain; sky; person; rider; car; truck; bus; train; motorcycle; bicycle
"""

_ADE = """
wall; building; sky; floor; tree; ceiling; road; bed; windowpane | window; grass;
cabinet; sidewalk; person; earth; door; table; mountain; plant; curtain; chair; car;
water; painting; sofa | couch; shelf; house; sea; mirror; rug; field; armchair; seat;
fence; desk; rock; wardrobe; lamp; bathtub; railing; cushion; base; box; column;
signboard; chest of drawers; counter; sand; sink; skyscraper; fireplace; refrigerator;
grandstand; path; stairs; runway; case; pool table; pillow; screen door; stairway;
river; bridge; bookcase; blind; coffee table; toilet; flower; book; hill; bench;
countertop; stove; palm; kitchen island; computer; swivel chair; boat; bar;
arcade machine; hovel; bus; towel; light; truck; tower; chandelier; awning; streetlight;
booth; television receiver | television; airplane; dirt track; apparel | clothes; pole;
land; bannister; escalator; ottoman; bottle; buffet; poster; stage; van; ship; fountain;
conveyor belt; canopy; washer | washing machine; plaything | toy; swimming pool; stool;
barrel; basket; waterfall; tent; bag; minibike | motorbike; cradle; oven; ball; food;
step; tank; trade name | brand name; microwave; pot; animal; bicycle; lake; dishwasher;
screen; blanket; sculpture; hood; sconce; vase; traffic light; tray; ashcan | trash can;
fan; pier; crt screen; plate; monitor; bulletin board; shower; radiator; glass; clock;
flag
"""

CLASS_PRESETS: Final[dict[str, ClassPreset]] = {
    preset.name: preset
    for preset in (
        ClassPreset(
            "voc21",
            "PASCAL VOC, with background",
            _VOC,
            _STUFF_WORDS,
            "Everingham et al. 2010; background words of Trident's configuration",
        ),
        ClassPreset("voc20", "PASCAL VOC", _VOC, "", "Everingham et al. 2010"),
        ClassPreset(
            "context60",
            "PASCAL Context, with background",
            _CONTEXT,
            "background",
            "Mottaghi et al. 2014",
        ),
        ClassPreset(
            "context59", "PASCAL Context", _CONTEXT, "", "Mottaghi et al. 2014"
        ),
        ClassPreset(
            "object",
            "COCO objects, with background",
            _COCO,
            # Without what is also one of the objects.
            _STUFF_WORDS.replace("bed; ", ""),
            "Lin et al. 2014; background words as for voc21",
        ),
        ClassPreset(
            "stuff",
            "COCO-Stuff",
            f"{_COCO.rstrip()};{_STUFF}",
            "",
            "Caesar et al. 2018",
        ),
        ClassPreset("cityscapes", "Cityscapes", _CITYSCAPES, "", "Cordts et al. 2016"),
        ClassPreset("ade", "ADE20K", _ADE, "", "Zhou et al. 2017"),
    )
}
"""Presets by name."""
