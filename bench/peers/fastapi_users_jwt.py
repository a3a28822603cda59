"""fastapi-users as its manual shows it: the JWT strategy, users in SQLite through SQLAlchemy and aiosqlite."""

import os
import uuid
from contextlib import asynccontextmanager
from typing import Annotated, Any

from answer import me
from fastapi import Depends, FastAPI
from fastapi_users import BaseUserManager, FastAPIUsers, UUIDIDMixin
from fastapi_users.authentication import AuthenticationBackend, BearerTransport, JWTStrategy
from fastapi_users.db import SQLAlchemyBaseUserTableUUID, SQLAlchemyUserDatabase
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

SECRET, USER = os.environ["BENCH_SECRET"], uuid.UUID(os.environ["BENCH_USER"])
engine = create_async_engine(f"sqlite+aiosqlite:///{os.environ['BENCH_DATABASE']}")
sessions = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class User(SQLAlchemyBaseUserTableUUID, Base):
    pass


class UserManager(UUIDIDMixin, BaseUserManager[User, uuid.UUID]):
    reset_password_token_secret = verification_token_secret = SECRET


async def open_session():
    async with sessions() as session:
        yield session


async def open_users(session: Annotated[AsyncSession, Depends(open_session)]):
    yield SQLAlchemyUserDatabase(session, User)


async def open_manager(users: Annotated[Any, Depends(open_users)]):
    yield UserManager(users)


backend = AuthenticationBackend("jwt", BearerTransport("login"), lambda: JWTStrategy(SECRET, 3600))
current_user = FastAPIUsers[User, uuid.UUID](open_manager, [backend]).current_user(active=True)


@asynccontextmanager
async def lifespan(_):
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with sessions() as session:
        session.add(User(id=USER, email="melis@example.com", hashed_password="-"))
        await session.commit()
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/me")
async def show(user: Annotated[User, Depends(current_user)]):
    return me(str(user.id))
