from app.main import app as app
