"""Short glosses of medical terms, in plain words: breast, CT, MRI, X-ray, endoscopy, eye.

Ours: every gloss was written by us for this project and has three to nine words. It completes
the sentence "TERM means GLOSS." A term in capitals is found in capitals only, any other term in
any case; a plural in -s is found too.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

GLOSSARY: Mapping[str, str] = MappingProxyType(
    {
        # breast ultrasound
        "anechoic": "black, without any echo inside",
        "hypoechoic": "darker than the tissue around it",
        "isoechoic": "as bright as the tissue around it",
        "hyperechoic": "brighter than the tissue around it",
        "heterogeneous": "uneven in brightness or texture",
        "homogeneous": "even in brightness and texture",
        "complex cystic and solid": "holding both fluid and firm tissue",
        "circumscribed": "with a sharp and even outline",
        "indistinct": "without a sharp outline",
        "angular": "with sharp corners in its outline",
        "microlobulated": "with many small waves along its outline",
        "spiculated": "with fine lines running outward from it",
        "parallel orientation": "wider along the skin than it is deep",
        "vertical orientation": "deeper than it is wide along the skin",
        "posterior shadowing": "a dark band behind the finding",
        "posterior enhancement": "a bright band behind the finding",
        "fibroglandular": "made of milk glands and supporting tissue",
        "calcification": "a small deposit of calcium",
        "cyst": "a closed sac filled with fluid",
        "septation": "a thin wall inside a cyst",
        "axilla": "the armpit and its tissue",
        "Doppler": "ultrasound that shows flowing blood",
        # CT, MRI, X-ray
        "CT": "cross-sectional X-ray imaging",
        "MRI": "imaging with magnets and radio waves",
        "X-ray": "an image of the shadows that tissue casts",
        "T1": "a weighting in which fat is bright",
        "T2": "a weighting in which fluid is bright",
        "FLAIR": "a sequence in which plain fluid is dark",
        "gadolinium": "a contrast agent for magnetic resonance",
        "axial": "in slices across the body",
        "transverse": "in slices across the body",
        "coronal": "in slices that part front from back",
        "sagittal": "in slices that part left from right",
        "attenuation": "how strongly tissue weakens X-rays",
        "hyperdense": "brighter than its surroundings on CT",
        "hypodense": "darker than its surroundings on CT",
        "hyperintense": "brighter than its surroundings on MRI",
        "hypointense": "darker than its surroundings on MRI",
        "lesion": "an area that differs from healthy tissue",
        "mass": "a lump that takes up space",
        "nodule": "a small rounded lump",
        "edema": "swelling by fluid in the tissue",
        "effusion": "fluid gathered in a body space",
        "pleural effusion": "fluid between lung and chest wall",
        "pneumothorax": "air between lung and chest wall",
        "atelectasis": "lung tissue that has lost its air",
        "consolidation": "lung tissue filled with fluid or cells",
        "cardiomegaly": "a heart larger than normal",
        "hemorrhage": "bleeding into tissue or a space",
        "hematoma": "a pool of blood outside the vessels",
        "aneurysm": "a bulge of a weakened vessel wall",
        "stenosis": "narrowing of a vessel or channel",
        "thrombus": "a blood clot inside a vessel",
        "infarct": "tissue that died without blood supply",
        "abscess": "a closed pocket of pus",
        "hydrocephalus": "too much fluid in the brain chambers",
        "mediastinum": "the space between the two lungs",
        "parenchyma": "the working tissue of an organ",
        # endoscopy and the back of the eye
        "polyp": "a growth on an inner lining",
        "sessile": "with a broad base and no stalk",
        "pedunculated": "hanging on a stalk",
        "mucosa": "the moist inner lining of a channel",
        "ulcer": "an open sore in a lining",
        "erythema": "redness from widened small vessels",
        "retina": "the layer of the eye that senses light",
        "macula": "the retina's place of sharpest sight",
        "optic disc": "where the optic nerve leaves the eye",
        "microaneurysm": "a tiny bulge of a retinal vessel",
        "hard exudate": "a yellow deposit of fat in the retina",
        "cotton wool spot": "a pale patch of swollen nerve fibers",
        "neovascularization": "growth of new and fragile vessels",
    }
)
